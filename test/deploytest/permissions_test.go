package deploytest

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"payonce/test/testenv"
)

// attempt is one thing that a user tries. Nothing is behind the subject in most cases: only the right to
// use it is tried.
type attempt struct {
	user    string
	action  string // "publish" or "subscribe"
	subject string
	allowed bool
}

// attempts are what each user may and must not do. Each line is tried on a real server.
var attempts = []attempt{
	{"ingress", "publish", "deposit.requested.teemopay-kr.X", true},
	{"ingress", "publish", "clarification.requested.teemopay-kr.X", true},
	{"ingress", "publish", "webhook.received.teemopay-kr.X", true},
	{"ingress", "publish", "webhook.refused.teemopay-kr.0", true},
	{"ingress", "publish", "$JS.API.STREAM.MSG.GET.REFUSED_WEBHOOKS", false},
	{"ingress", "publish", "$JS.API.STREAM.PURGE.REFUSED_WEBHOOKS", false},
	{"worker", "publish", "webhook.refused.teemopay-kr.0", false},
	{"operator-kim", "publish", "$JS.API.STREAM.MSG.GET.REFUSED_WEBHOOKS", true},
	{"operator-kim", "publish", "webhook.refused.teemopay-kr.0", false},
	{"operator-kim", "publish", "$JS.API.STREAM.MSG.DELETE.REFUSED_WEBHOOKS", false},
	{"operator-kim", "publish", "$JS.API.STREAM.PURGE.REFUSED_WEBHOOKS", false},
	{"upstream-shop", "publish", "webhook.refused.teemopay-kr.0", false},
	{"ingress", "publish", "$KV.HEARTBEATS.ingress.1", true},
	{"ingress", "publish", "$KV.HEARTBEATS.worker.1", false},
	{"ingress", "publish", "$JS.API.DIRECT.GET.KV_HEARTBEATS.$KV.HEARTBEATS.worker.1", true},
	{"ingress", "publish", "$JS.API.DIRECT.GET.KV_HEARTBEATS", false},
	{"ingress", "publish", "$JS.API.STREAM.PURGE.KV_HEARTBEATS", false},
	{"ingress", "publish", "$JS.API.STREAM.MSG.DELETE.KV_HEARTBEATS", false},
	{"worker", "publish", "$KV.HEARTBEATS.worker.1", true},
	{"worker", "publish", "$KV.HEARTBEATS.ingress.1", false},
	{"worker", "publish", "$KV.HEARTBEATS.notifier.1", false},
	{"ingress", "publish", "$KV.HEARTBEATS.notifier.1", false},
	{"worker", "publish", "$KV.HEARTBEATS.worker.1.2", false},
	{"worker", "publish", "$JS.API.STREAM.PURGE.KV_HEARTBEATS", false},
	{"worker", "publish", "$JS.API.CONSUMER.CREATE.KV_HEARTBEATS.mine", false},
	{"operator-kim", "publish", "$JS.API.DIRECT.GET.KV_HEARTBEATS.$KV.HEARTBEATS.worker.1", true},
	{"operator-kim", "publish", "$KV.HEARTBEATS.worker.1", false},
	{"operator-kim", "publish", "$JS.API.STREAM.PURGE.KV_HEARTBEATS", false},
	{"operator-kim", "publish", "$JS.API.CONSUMER.CREATE.KV_HEARTBEATS.mine", false},
	{"upstream-shop", "publish", "$KV.HEARTBEATS.ingress.1", false},
	{"upstream-shop", "publish", "$JS.API.DIRECT.GET.KV_HEARTBEATS.$KV.HEARTBEATS.worker.1", false},
	{"ingress", "publish", "probe.intake-ingress", true},
	{"ingress", "publish", "queued.teemopay-kr.X", true},
	{"ingress", "publish", "$JS.API.DIRECT.GET.PAYMENTS.payment.*.teemopay-kr.X", true},
	{"ingress", "publish", "$JS.API.DIRECT.GET.ACTIONS.action.stored.teemopay-kr.X.Y", true},
	{"ingress", "publish", "$JS.API.DIRECT.GET.ACTIONS", false},
	{"ingress", "publish", "action.stored.teemopay-kr.X.Y", false},
	{"ingress", "publish", "$JS.API.STREAM.MSG.GET.ACTIONS", false},
	{"ingress", "publish", "$JS.API.STREAM.MSG.DELETE.ACTIONS", false},
	{"ingress", "publish", "$JS.API.STREAM.MSG.DELETE.WEBHOOKS", false},
	{"ingress", "publish", "$JS.API.CONSUMER.CREATE.ACTIONS.mine", false},
	{"ingress", "publish", "$JS.API.STREAM.INFO.COMMANDS", true},
	{"ingress", "publish", "probe.commands", false},
	{"ingress", "publish", "probe.payments", false},
	{"ingress", "publish", "payment.settled.teemopay-kr.X", false},
	{"ingress", "publish", "parked.teemopay-kr.X", false},
	{"ingress", "publish", "webhook.waiting.teemopay-kr.X.0", false},
	{"ingress", "publish", "deadletter.commands.teemopay-kr", false},
	{"ingress", "publish", "operator.release.teemopay-kr.X", false},
	{"ingress", "publish", "audit.operator-kim.release.teemopay-kr.X", false},
	{"ingress", "publish", "copy.release.teemopay-kr.X", false},
	{"ingress", "publish", "$JS.API.STREAM.CREATE.OTHER", false},
	{"ingress", "publish", "$JS.API.STREAM.UPDATE.COMMANDS", false},
	{"ingress", "publish", "$JS.API.STREAM.PURGE.COMMANDS", false},
	{"ingress", "publish", "$JS.API.STREAM.PURGE.INTAKE-ingress", false},
	{"ingress", "publish", "$JS.API.STREAM.MSG.DELETE.COMMANDS", false},
	{"ingress", "publish", "$JS.API.STREAM.MSG.GET.COMMANDS", false},
	{"ingress", "publish", "$JS.API.STREAM.MSG.GET.WEBHOOKS", false},
	{"ingress", "publish", "$JS.API.STREAM.MSG.GET.INTAKE-ingress", false},
	{"ingress", "publish", "$JS.API.STREAM.MSG.GET.AUDIT", false},
	{"ingress", "publish", "$JS.API.DIRECT.GET.COMMANDS", false},
	{"ingress", "publish", "$JS.API.CONSUMER.MSG.NEXT.COMMANDS.commands-teemopay-kr", false},
	{"ingress", "publish", "$JS.API.CONSUMER.MSG.NEXT.INTAKE-ingress.intake", false},
	{"ingress", "publish", "$JS.API.CONSUMER.CREATE.COMMANDS.mine", false},
	{"ingress", "publish", "$JS.API.CONSUMER.CREATE.PAYMENTS.mine", false},
	{"ingress", "publish", "$JS.API.CONSUMER.DELETE.PAYMENTS.ledger-accounting", false},
	{"ingress", "publish", "$JS.API.CONSUMER.MSG.NEXT.PAYMENTS.ledger-accounting", false},
	{"ingress", "publish", "$JS.ACK.COMMANDS.commands-teemopay-kr.1.1.1.1.1", false},
	{"ingress", "publish", "intake.shop.deposit.requested.teemopay-kr.X", false},
	{"ingress", "publish", "intake.ingress.deposit.requested.teemopay-kr.X", false},
	{"ingress", "subscribe", "_INBOX.ingress.x", true},
	{"ingress", "subscribe", "written.payment.>", true},
	{"ingress", "subscribe", "_INBOX.worker.>", false},
	{"ingress", "subscribe", ">", false},
	{"ingress", "subscribe", "deposit.requested.>", false},
	{"ingress", "subscribe", "queued.*.*", false},

	{"worker", "publish", "payment.settled.teemopay-kr.X", true},
	{"worker", "publish", "action.stored.teemopay-kr.X.Y", true},
	{"worker", "publish", "$JS.API.DIRECT.GET.ACTIONS", false},
	{"worker", "publish", "$JS.API.DIRECT.GET.ACTIONS.action.stored.teemopay-kr.X.Y", true},
	{"worker", "publish", "$JS.API.STREAM.MSG.DELETE.ACTIONS", false},
	{"worker", "publish", "$JS.API.STREAM.MSG.DELETE.WEBHOOKS", false},
	{"worker", "publish", "$JS.API.STREAM.PURGE.ACTIONS", false},
	{"worker", "publish", "$JS.API.CONSUMER.CREATE.ACTIONS.mine", false},
	{"worker", "publish", "parked.teemopay-kr.X", true},
	{"worker", "publish", "deadletter.commands.teemopay-kr", true},
	{"worker", "publish", "$JS.API.CONSUMER.CREATE.INTAKE-shop.intake", true},
	{"worker", "publish", "$JS.API.CONSUMER.CREATE.INTAKE-ingress.intake", true},
	{"worker", "publish", "webhook.waiting.teemopay-kr.X.0", true},
	{"worker", "publish", "webhook.received.teemopay-kr.X", true},
	{"worker", "publish", "operator.account.teemopay-kr.-", true},
	{"worker", "publish", "copy.account.teemopay-kr.-", true},
	{"worker", "publish", "operator.account.teemopay-kr.X", false},
	{"worker", "publish", "operator.accept.unknown.-", false},
	{"worker", "publish", "$JS.API.STREAM.MSG.GET.AUDIT", true},
	{"operator-kim", "publish", "operator.accept.unknown.-", true},
	{"worker", "publish", "operator.release.teemopay-kr.X", false},
	{"worker", "publish", "operator.release.teemopay-kr.-", false},
	{"worker", "publish", "audit.operator-kim.settle.teemopay-kr.X", false},
	{"worker", "publish", "copy.settle.teemopay-kr.X", false},
	{"worker", "publish", "probe.commands", false},
	{"worker", "publish", "intake.shop.deposit.requested.teemopay-kr.X", false},
	{"worker", "publish", "$JS.API.STREAM.CREATE.OTHER", false},
	{"worker", "publish", "$JS.API.STREAM.UPDATE.COMMANDS", false},
	{"worker", "publish", "$JS.API.STREAM.UPDATE.PAYMENTS", false},
	{"worker", "publish", "$JS.API.STREAM.RESTORE.PAYMENTS", false},
	{"worker", "publish", "$JS.API.STREAM.DELETE.COMMANDS", false},
	{"worker", "publish", "$JS.API.STREAM.PURGE.COMMANDS", false},
	{"worker", "publish", "$JS.API.STREAM.PURGE.PAYMENTS", false},
	{"worker", "publish", "$JS.API.STREAM.PURGE.DEADLETTERS", false},
	{"worker", "publish", "$JS.API.STREAM.MSG.DELETE.PAYMENTS", false},
	{"worker", "publish", "$JS.API.STREAM.MSG.DELETE.AUDIT", false},
	{"worker", "publish", "$JS.API.CONSUMER.DELETE.PAYMENTS.ledger-accounting", false},
	{"worker", "publish", "$JS.ACK.PAYMENTS.ledger-accounting.1.1.1.1.1", false},
	{"worker", "publish", "$JS.API.CONSUMER.CREATE.PAYMENTS.archive", false},
	{"worker", "publish", "$JS.API.CONSUMER.DELETE.PAYMENTS.archive", false},
	{"worker", "subscribe", "_INBOX.worker.x", true},
	{"worker", "subscribe", "_INBOX.payctl.>", false},
	{"worker", "subscribe", "payment.>", false},

	{"archive", "publish", "$JS.API.STREAM.INFO.PAYMENTS", true},
	{"archive", "publish", "$JS.API.DIRECT.GET.PAYMENTS", true},
	{"archive", "publish", "$JS.API.CONSUMER.INFO.PAYMENTS.archive", true},
	{"archive", "publish", "$JS.API.STREAM.INFO.COMMANDS", false},
	{"archive", "publish", "$JS.API.STREAM.INFO.AUDIT", false},
	{"archive", "publish", "$JS.API.STREAM.MSG.GET.PAYMENTS", false},
	{"archive", "publish", "$JS.API.STREAM.MSG.GET.COMMANDS", false},
	{"archive", "publish", "$JS.API.STREAM.MSG.GET.AUDIT", false},
	{"archive", "publish", "$JS.API.DIRECT.GET.PAYMENTS.payment.settled.teemopay-kr.X", false},
	{"archive", "publish", "$JS.API.DIRECT.GET.ACTIONS.action.stored.teemopay-kr.X.Y", false},
	{"archive", "publish", "$JS.API.DIRECT.GET.KV_HEARTBEATS.$KV.HEARTBEATS.worker.1", false},
	{"archive", "publish", "$KV.HEARTBEATS.archive.1", true},
	{"archive", "publish", "$KV.HEARTBEATS.worker.1", false},
	{"archive", "publish", "$JS.API.STREAM.PURGE.KV_HEARTBEATS", false},
	{"archive", "publish", "$JS.API.CONSUMER.CREATE.PAYMENTS.archive", false},
	{"archive", "publish", "$JS.API.CONSUMER.CREATE.PAYMENTS.mine", false},
	{"archive", "publish", "$JS.API.CONSUMER.INFO.PAYMENTS.ledger-accounting", false},
	{"archive", "publish", "$JS.API.CONSUMER.MSG.NEXT.PAYMENTS.ledger-accounting", false},
	{"archive", "publish", "payment.settled.teemopay-kr.X", false},
	{"archive", "publish", "deposit.requested.teemopay-kr.X", false},
	{"archive", "publish", "operator.release.teemopay-kr.X", false},
	{"archive", "publish", "copy.release.teemopay-kr.X", false},
	{"archive", "publish", "queued.teemopay-kr.X", false},
	{"archive", "subscribe", "_INBOX.archive.x", true},
	{"archive", "subscribe", "_INBOX.worker.>", false},
	{"archive", "subscribe", "written.payment.>", false},
	{"archive", "subscribe", "payment.>", false},

	{"viewer", "publish", "$JS.API.STREAM.INFO.COMMANDS", true},
	{"viewer", "publish", "$JS.API.STREAM.INFO.AUDIT", true},
	{"viewer", "publish", "$JS.API.STREAM.MSG.GET.COMMANDS", true},
	{"viewer", "publish", "$JS.API.STREAM.MSG.GET.DEADLETTERS", true},
	{"viewer", "publish", "$JS.API.STREAM.MSG.GET.AUDIT", true},
	{"viewer", "publish", "$JS.API.DIRECT.GET.PAYMENTS.payment.*.teemopay-kr.X", true},
	{"viewer", "publish", "$JS.API.DIRECT.GET.KV_HEARTBEATS.$KV.HEARTBEATS.worker.1", true},
	{"viewer", "publish", "$JS.API.STREAM.MSG.GET.WEBHOOKS", true},
	{"viewer", "publish", "$JS.API.STREAM.INFO.REFUSALS", true},
	{"viewer", "publish", "$JS.API.DIRECT.GET.REFUSALS", true},
	{"viewer", "publish", "command.refused.shop.teemopay-kr.X", false},
	{"worker", "publish", "balance.reported.teemopay-kr", true},
	{"worker", "publish", "$JS.API.CONSUMER.MSG.NEXT.BALANCES.ledger-accounting", false},
	{"worker", "publish", "$JS.ACK.BALANCES.ledger-accounting.1.1.1.1.1", false},
	{"ingress", "publish", "balance.reported.teemopay-kr", false},
	{"operator-kim", "publish", "balance.reported.teemopay-kr", false},
	{"upstream-shop", "publish", "balance.reported.teemopay-kr", false},
	{"ledger-accounting", "publish", "balance.reported.teemopay-kr", false},
	{"ledger-accounting", "publish", "PAYONCE.CONSUMER.INFO.BALANCES.ledger-accounting", true},
	{"ledger-accounting", "publish", "PAYONCE.CONSUMER.MSG.NEXT.BALANCES.ledger-accounting", true},
	{"ledger-accounting", "publish", "PAYONCE.CONSUMER.MSG.NEXT.BALANCES.ledger-other", false},
	{"viewer", "publish", "$JS.API.CONSUMER.LIST.PAYMENTS", true},
	{"viewer", "publish", "$JS.API.CONSUMER.LIST.ENDPOINTS", true},
	{"viewer", "publish", "$JS.API.CONSUMER.PAUSE.ENDPOINTS.endpoint-shop", false},
	{"viewer", "publish", "endpoint.due.shop.teemopay-kr.X.1", false},
	{"viewer", "publish", "endpoint.test.shop", false},
	{"viewer", "publish", "$JS.API.STREAM.MSG.GET.ACTIONS", false},
	{"viewer", "publish", "$JS.API.DIRECT.GET.ACTIONS.action.stored.teemopay-kr.X.Y", false},
	{"viewer", "publish", "$JS.API.STREAM.MSG.DELETE.COMMANDS", false},
	{"viewer", "publish", "$JS.API.STREAM.MSG.DELETE.DEADLETTERS", false},
	{"viewer", "publish", "$JS.API.CONSUMER.CREATE.PAYMENTS.mine", false},
	{"viewer", "publish", "$JS.API.CONSUMER.INFO.PAYMENTS.archive", false},
	{"viewer", "publish", "payment.settled.teemopay-kr.X", false},
	{"viewer", "publish", "deposit.requested.teemopay-kr.X", false},
	{"viewer", "publish", "parked.teemopay-kr.X", false},
	{"viewer", "publish", "operator.release.teemopay-kr.X", false},
	{"viewer", "publish", "copy.release.teemopay-kr.X", false},
	{"viewer", "publish", "$KV.HEARTBEATS.worker.1", false},
	{"viewer", "publish", "queued.teemopay-kr.X", false},
	{"viewer", "subscribe", "_INBOX.console.x", true},
	{"viewer", "subscribe", "written.payment.>", true},
	{"viewer", "subscribe", "_INBOX.worker.>", false},
	{"viewer", "subscribe", "payment.>", false},

	{"operator-kim", "publish", "operator.release.teemopay-kr.X", true},
	// Requests, approvals and refusals are records of the action that they are about.
	{"operator-kim", "publish", "operator.settle.teemopay-kr.X", true},
	{"operator-kim", "publish", "operator.import.teemopay-kr.-", true},
	{"administrator", "publish", "operator.settle.teemopay-kr.X", true},
	{"console", "publish", "operator.settle.teemopay-kr.X", true},
	{"console", "publish", "payment.settled.teemopay-kr.X", true},
	{"console", "publish", "parked.teemopay-kr.X", true},
	{"console", "publish", "$JS.API.CONSUMER.PAUSE.ENDPOINTS.endpoint-shop", true},
	{"console", "publish", "endpoint.due.shop.teemopay-kr.X.1", true},
	{"console", "publish", "endpoint.test.shop", true},
	{"console", "publish", "endpoint.waiting.shop.teemopay-kr.X.1", false},
	{"console", "publish", "$JS.API.STREAM.MSG.GET.AUDIT", true},
	{"console", "publish", "$JS.API.DIRECT.GET.KV_HEARTBEATS.$KV.HEARTBEATS.worker.1", true},
	{"console", "subscribe", "written.payment.>", true},
	{"console", "subscribe", "_INBOX.console.x", true},
	{"console", "subscribe", "_INBOX.payctl.>", false},
	{"console", "publish", "audit.operator-kim.settle.teemopay-kr.X", false},
	{"console", "publish", "$JS.API.STREAM.MSG.DELETE.WEBHOOKS", false},
	{"console", "publish", "$JS.API.STREAM.MSG.DELETE.ACTIONS", false},
	{"console", "publish", "$JS.API.STREAM.MSG.DELETE.PAYMENTS", false},
	{"console", "publish", "$JS.API.STREAM.MSG.DELETE.AUDIT", false},
	{"console", "publish", "$JS.API.STREAM.PURGE.COMMANDS", false},
	{"console", "publish", "$JS.API.STREAM.UPDATE.COMMANDS", false},
	{"console", "publish", "$JS.API.CONSUMER.CREATE.PAYMENTS.mine", false},
	{"console", "publish", "deadletter.commands.teemopay-kr", false},
	{"console", "publish", "$KV.HEARTBEATS.worker.1", false},
	{"worker", "publish", "operator.settle.teemopay-kr.X", false},
	{"worker", "publish", "operator.import.teemopay-kr.-", false},
	{"ingress", "publish", "operator.settle.teemopay-kr.X", false},
	{"upstream-shop", "publish", "operator.import.teemopay-kr.-", false},
	{"ledger-accounting", "publish", "operator.settle.teemopay-kr.X", false},
	{"monitor", "publish", "operator.settle.teemopay-kr.X", false},
	{"operator-kim", "publish", "copy.release.teemopay-kr.X", true},
	{"operator-kim", "publish", "$JS.API.STREAM.INFO.COMMANDS", true},
	{"operator-kim", "publish", "$JS.API.STREAM.MSG.GET.AUDIT", true},
	{"operator-kim", "publish", "$JS.API.STREAM.MSG.DELETE.DEADLETTERS", true},
	{"operator-kim", "publish", "$JS.API.STREAM.MSG.DELETE.COMMANDS", true},
	{"operator-kim", "publish", "$JS.API.STREAM.MSG.DELETE.WEBHOOKS", true},
	{"operator-kim", "publish", "$JS.API.STREAM.MSG.DELETE.ACTIONS", true},
	{"operator-kim", "publish", "$JS.API.STREAM.MSG.DELETE.INTAKE-ingress", false},
	{"operator-kim", "publish", "$JS.API.CONSUMER.INFO.WEBHOOKS.webhooks-teemopay-kr", true},
	{"operator-kim", "publish", "$JS.API.STREAM.MSG.GET.DEADLETTERS", true},
	{"operator-kim", "publish", "$JS.API.CONSUMER.CREATE.DEADLETTERS.mine", false},
	{"operator-kim", "publish", "$JS.API.CONSUMER.CREATE.WEBHOOKS.mine", false},
	{"operator-kim", "publish", "COPY.STREAM.MSG.GET.AUDIT-COPY", true},
	{"operator-kim", "publish", "$SYS.REQ.USER.INFO", true},
	{"operator-kim", "publish", "payment.settled.teemopay-kr.X", true},
	{"operator-kim", "publish", "$JS.API.DIRECT.GET.ACTIONS", true},
	{"operator-kim", "publish", "$JS.API.DIRECT.GET.ACTIONS.action.stored.teemopay-kr.X.Y", true},
	{"operator-kim", "publish", "action.stored.teemopay-kr.X.Y", true},
	{"operator-kim", "publish", "$JS.API.STREAM.PURGE.ACTIONS", false},
	{"operator-kim", "publish", "$JS.API.STREAM.UPDATE.ACTIONS", false},
	{"operator-kim", "publish", "$JS.API.CONSUMER.CREATE.ACTIONS.mine", false},
	{"operator-kim", "publish", "audit.operator-lee.release.teemopay-kr.X", false},
	{"operator-kim", "publish", "audit.operator-kim.release.teemopay-kr.X", false},
	{"operator-kim", "publish", "$JS.API.STREAM.CREATE.OTHER", false},
	{"operator-kim", "publish", "$JS.API.STREAM.UPDATE.PAYMENTS", false},
	{"operator-kim", "publish", "$JS.API.STREAM.UPDATE.AUDIT", false},
	{"operator-kim", "publish", "$JS.API.STREAM.RESTORE.PAYMENTS", false},
	{"operator-kim", "publish", "$JS.API.STREAM.RESTORE.AUDIT", false},
	{"operator-kim", "publish", "$JS.API.STREAM.DELETE.COMMANDS", false},
	{"operator-kim", "publish", "$JS.API.STREAM.DELETE.AUDIT", false},
	{"operator-kim", "publish", "$JS.API.STREAM.PURGE.PAYMENTS", false},
	{"operator-kim", "publish", "$JS.API.STREAM.PURGE.AUDIT", false},
	{"operator-kim", "publish", "$JS.API.STREAM.PURGE.COMMANDS", false},
	{"operator-kim", "publish", "$JS.API.STREAM.MSG.DELETE.PAYMENTS", false},
	{"operator-kim", "publish", "$JS.API.STREAM.MSG.DELETE.AUDIT", false},
	{"operator-kim", "publish", "COPY.STREAM.CREATE.AUDIT-COPY", false},
	{"operator-kim", "publish", "COPY.STREAM.PURGE.AUDIT-COPY", false},
	{"operator-kim", "publish", "COPY.STREAM.MSG.DELETE.AUDIT-COPY", false},
	{"operator-kim", "publish", "$JS.API.CONSUMER.CREATE.PAYMENTS.mine", false},
	{"operator-kim", "publish", "$JS.API.CONSUMER.DELETE.PAYMENTS.ledger-accounting", false},
	{"operator-kim", "publish", "$JS.ACK.COMMANDS.commands-teemopay-kr.1.1.1.1.1", false},
	{"operator-kim", "publish", "$SYS.REQ.SERVER.PING", false},
	{"operator-kim", "publish", "intake.shop.deposit.requested.teemopay-kr.X", false},
	{"operator-kim", "subscribe", "_INBOX.payctl.x", true},
	{"operator-kim", "subscribe", "_INBOX.worker.>", false},
	{"operator-kim", "subscribe", "payment.>", false},

	{"administrator", "publish", "$JS.API.STREAM.CREATE.OTHER", true},
	{"administrator", "publish", "COPY.STREAM.INFO.AUDIT-COPY", true},
	{"administrator", "publish", "COPY.STREAM.PURGE.AUDIT-COPY", false},
	{"administrator", "publish", "COPY.STREAM.UPDATE.AUDIT-COPY", false},
	{"administrator", "publish", "COPY.STREAM.DELETE.AUDIT-COPY", false},
	{"administrator", "publish", "payment.settled.teemopay-kr.X", false},
	{"administrator", "publish", "deposit.requested.teemopay-kr.X", false},
	{"administrator", "publish", "audit.operator-kim.settle.teemopay-kr.X", false},
	{"administrator", "subscribe", "payment.>", false},

	{"monitor", "publish", "$SYS.REQ.SERVER.PING.JSZ", true},
	{"monitor", "publish", "$SYS.REQ.SERVER.PING.HEALTHZ", true},
	{"monitor", "publish", "$SYS.REQ.SERVER.X.RELOAD", false},
	{"monitor", "publish", "$SYS.REQ.SERVER.X.KICK", false},
	{"monitor", "publish", "$JS.API.STREAM.INFO.PAYMENTS", false},
	{"monitor", "publish", "deposit.requested.teemopay-kr.X", false},
	{"monitor", "subscribe", "$SYS.SERVER.*.STATSZ", true},
	{"monitor", "subscribe", "$SYS.>", false},

	{"upstream-shop", "publish", "deposit.requested.teemopay-kr.X", true},
	{"upstream-shop", "publish", "payout.requested.ecommpay-kr.X", true},
	{"upstream-shop", "publish", "clarification.requested.ecommpay-kr.X", true},
	{"upstream-shop", "publish", "deposit.requested.diamondpay-tw.X", false},
	{"upstream-shop", "publish", "deposit.requested", false},
	{"upstream-shop", "publish", "parked.teemopay-kr.X", false},
	{"upstream-shop", "publish", "payment.settled.teemopay-kr.X", false},
	{"upstream-shop", "publish", "webhook.received.teemopay-kr.X", false},
	{"upstream-shop", "publish", "intake.shop.deposit.requested.teemopay-kr.X", false},
	{"upstream-shop", "publish", "intake.game.deposit.requested.diamondpay-tw.X", false},
	{"upstream-shop", "publish", "$JS.API.STREAM.PURGE.COMMANDS", false},
	{"upstream-shop", "publish", "$JS.API.STREAM.INFO.COMMANDS", false},
	{"upstream-shop", "publish", "$JS.API.CONSUMER.CREATE.PAYMENTS.mine", false},
	{"upstream-shop", "publish", "$JS.API.DIRECT.GET.PAYMENTS.payment.>", false},
	{"upstream-shop", "publish", "$JS.API.DIRECT.GET.ACTIONS.action.stored.teemopay-kr.X.Y", false},
	{"upstream-shop", "publish", "action.stored.teemopay-kr.X.Y", false},
	{"upstream-shop", "subscribe", "payment.>", false},
	{"upstream-shop", "subscribe", "command.refused.*.*", true},
	{"upstream-shop", "subscribe", "command.refused.>", false},
	{"upstream-shop", "subscribe", "command.refused.game.*.*", false},
	{"upstream-shop", "publish", "command.refused.shop.teemopay-kr.X", false},
	{"upstream-shop", "publish", "PAYONCE.CONSUMER.INFO.REFUSALS.refusals-shop", true},
	{"upstream-shop", "publish", "PAYONCE.CONSUMER.MSG.NEXT.REFUSALS.refusals-game", false},
	{"upstream-shop", "publish", "$JS.API.CONSUMER.MSG.NEXT.REFUSALS.refusals-game", false},
	{"upstream-shop", "publish", "$JS.API.DIRECT.GET.REFUSALS.command.refused.game.teemopay-kr.X", false},
	{"worker", "publish", "$JS.API.CONSUMER.MSG.NEXT.REFUSALS.refusals-shop", false},
	{"worker", "publish", "$JS.ACK.REFUSALS.refusals-shop.1.1.1.1.1", false},
	{"ingress", "publish", "command.refused.shop.teemopay-kr.X", false},
	{"ingress", "publish", "$JS.API.DIRECT.GET.REFUSALS.command.refused.shop.teemopay-kr.X", true},
	{"upstream-shop", "subscribe", "deposit.requested.>", false},
	{"upstream-game", "publish", "deposit.requested.diamondpay-tw.X", true},
	{"upstream-game", "publish", "deposit.requested.teemopay-kr.X", false},

	{"notifier", "publish", "endpoint.waiting.shop.teemopay-kr.X.1", true},
	{"notifier", "publish", "deadletter.endpoints.teemopay-kr", true},
	{"notifier", "publish", "$KV.HEARTBEATS.notifier.1", true},
	{"notifier", "publish", "$KV.HEARTBEATS.worker.1", false},
	{"notifier", "publish", "$JS.API.STREAM.PURGE.KV_HEARTBEATS", false},
	{"notifier", "publish", "$JS.API.DIRECT.GET.KV_HEARTBEATS.$KV.HEARTBEATS.worker.1", false},
	{"notifier", "publish", "$JS.API.CONSUMER.INFO.PAYMENTS.endpoint-shop", true},
	{"notifier", "publish", "$JS.API.CONSUMER.MSG.NEXT.ENDPOINTS.endpoint-shop", true},
	{"notifier", "publish", "$JS.API.CONSUMER.INFO.PAYMENTS.endpoint-other", false},
	{"notifier", "publish", "$JS.API.CONSUMER.MSG.NEXT.PAYMENTS.ledger-accounting", false},
	{"notifier", "publish", "$JS.API.CONSUMER.MSG.NEXT.PAYMENTS.endpoint-other", false},
	{"notifier", "publish", "$JS.API.CONSUMER.CREATE.PAYMENTS.mine", false},
	{"notifier", "publish", "$JS.API.CONSUMER.CREATE.ENDPOINTS.endpoint-shop", false},
	{"notifier", "publish", "$JS.API.CONSUMER.PAUSE.ENDPOINTS.endpoint-shop", false},
	{"notifier", "publish", "$JS.API.STREAM.PURGE.ENDPOINTS", false},
	{"notifier", "publish", "$JS.API.DIRECT.GET.PAYMENTS.payment.>", false},
	{"notifier", "publish", "$JS.API.DIRECT.GET.ACTIONS.action.stored.teemopay-kr.X.Y", false},
	{"notifier", "publish", "endpoint.due.shop.teemopay-kr.X.1", false},
	{"notifier", "publish", "payment.settled.teemopay-kr.X", false},
	{"notifier", "publish", "deposit.requested.teemopay-kr.X", false},
	{"notifier", "publish", "deadletter.commands.teemopay-kr", false},
	{"notifier", "publish", "operator.test.unknown.-", false},
	{"notifier", "subscribe", "_INBOX.notifier.x", true},
	{"notifier", "subscribe", "_INBOX.payctl.>", false},
	{"notifier", "subscribe", "payment.>", false},
	{"operator-kim", "publish", "endpoint.due.shop.teemopay-kr.X.1", true},
	{"operator-kim", "publish", "endpoint.test.shop", true},
	{"operator-kim", "publish", "$JS.API.CONSUMER.PAUSE.ENDPOINTS.endpoint-shop", true},
	{"operator-kim", "publish", "endpoint.waiting.shop.teemopay-kr.X.1", false},
	{"operator-kim", "subscribe", "endpoint.test.*", false},
	{"worker", "publish", "endpoint.due.shop.teemopay-kr.X.1", false},
	{"ingress", "publish", "endpoint.due.shop.teemopay-kr.X.1", false},

	{"ledger-accounting", "publish", "PAYONCE.CONSUMER.INFO.PAYMENTS.ledger-accounting", true},
	{"ledger-accounting", "publish", "PAYONCE.CONSUMER.INFO.PAYMENTS.ledger-other", false},
	{"ledger-accounting", "publish", "PAYONCE.CONSUMER.CREATE.PAYMENTS.mine", false},
	{"ledger-accounting", "publish", "$JS.API.CONSUMER.CREATE.PAYMENTS.mine", false},
	{"ledger-accounting", "publish", "$JS.API.DIRECT.GET.PAYMENTS.payment.>", false},
	{"ledger-accounting", "publish", "$JS.API.DIRECT.GET.ACTIONS.action.stored.teemopay-kr.X.Y", false},
	{"ledger-accounting", "publish", "$JS.ACK.COMMANDS.intake.1.1.1.1.1", false},
	{"ledger-accounting", "publish", "payment.settled.teemopay-kr.X", false},
	{"ledger-accounting", "publish", "deposit.requested.teemopay-kr.X", false},
	{"ledger-accounting", "subscribe", "payment.>", false},
}

// forEverybody are what no key may do whose holder is not named.
var forEverybody = []struct {
	subject string
	except  []string
}{
	// Streams, buckets of keys and values, objects: making, changing, copying, moving.
	{"$JS.API.STREAM.CREATE.KV_x", nil}, {"$JS.API.STREAM.CREATE.OBJ_x", nil}, {"$KV.x.key", nil}, {"$O.x.C.chunk", nil},
	{"$JS.API.STREAM.UPDATE.COMMANDS", nil}, {"$JS.API.STREAM.DELETE.PAYMENTS", nil}, {"$JS.API.STREAM.PURGE.WEBHOOKS", nil},
	{"$JS.API.STREAM.SNAPSHOT.PAYMENTS", nil}, {"$JS.API.STREAM.RESTORE.AUDIT", nil}, {"$JS.API.STREAM.MSG.DELETE.PAYMENTS", nil},
	{"$JS.API.STREAM.MSG.DELETE.AUDIT", nil}, {"$JS.API.STREAM.MSG.DELETE.WEBHOOKS", []string{"operator-kim"}}, {"$JS.API.STREAM.MSG.DELETE.INTAKE-shop", nil},
	{"$JS.API.STREAM.LIST", nil}, {"$JS.API.STREAM.NAMES", nil}, {"$JS.API.STREAM.LEADER.STEPDOWN.PAYMENTS", nil},
	{"$JS.API.STREAM.PEER.REMOVE.PAYMENTS", nil}, {"$JS.API.META.LEADER.STEPDOWN", nil}, {"$JS.API.ACCOUNT.PURGE.PAYONCE", nil},
	// Consumers of others.
	{"$JS.API.CONSUMER.DURABLE.CREATE.PAYMENTS.mine", nil}, {"$JS.API.CONSUMER.CREATE.AUDIT.mine", nil}, {"$JS.API.CONSUMER.CREATE.DEADLETTERS.mine", nil},
	{"$JS.API.CONSUMER.CREATE.COMMANDS.mine.deposit.requested.diamondpay-tw.>", []string{"worker"}},
	{"$JS.API.CONSUMER.DELETE.COMMANDS.commands-teemopay-kr", nil}, {"$JS.API.CONSUMER.DELETE.PAYMENTS.ledger-accounting", nil},
	{"$JS.API.CONSUMER.PAUSE.COMMANDS.commands-teemopay-kr", nil}, {"$JS.API.CONSUMER.PAUSE.PAYMENTS.ledger-accounting", nil},
	{"$JS.API.CONSUMER.RESET.PAYMENTS.ledger-accounting", nil}, {"$JS.API.CONSUMER.UNPIN.PAYMENTS.ledger-accounting", nil},
	{"$JS.API.CONSUMER.LEADER.STEPDOWN.PAYMENTS.ledger-accounting", nil}, {"$JS.API.CONSUMER.DELETE.PAYMENTS.archive", nil},
	{"$JS.API.CONSUMER.PAUSE.PAYMENTS.archive", nil}, {"$JS.API.CONSUMER.RESET.PAYMENTS.archive", nil},
	{"$JS.API.CONSUMER.MSG.NEXT.PAYMENTS.archive", []string{"archive"}}, {"$JS.ACK.PAYMENTS.archive.1.1.1.1.1", []string{"archive"}},
	{"$JS.API.CONSUMER.MSG.NEXT.COMMANDS.commands-teemopay-kr", []string{"worker"}},
	{"$JS.ACK.COMMANDS.commands-teemopay-kr.1.1.1.1.1", []string{"worker"}}, {"$JS.ACK.PAYMENTS.ledger-accounting.1.1.1.1.1", []string{"ledger-accounting"}},
	// Reading past the log.
	{"$JS.API.DIRECT.GET.COMMANDS", nil}, {"$JS.API.DIRECT.GET.WEBHOOKS", nil}, {"$JS.API.DIRECT.GET.AUDIT", nil},
	// What upstreams, workers and people write, in another's name or another's place.
	{"intake.game.deposit.requested.diamondpay-tw.X", nil}, {"intake.ingress.webhook.received.teemopay-kr.X", nil}, {"deposit.requested", nil},
	{"deposit.requested.>", nil}, {"audit.operator-lee.settle.teemopay-kr.X", nil}, {"copy.operator-lee.settle.teemopay-kr.X", nil},
	{"written.payment.settled.teemopay-kr.X", nil}, {"$JS.EVENT.ADVISORY.X", nil},
	// The server itself.
	{"$SYS.REQ.ACCOUNT.PAYONCE.CONNZ", nil}, {"$SYS.REQ.ACCOUNT.PAYONCE.CLAIMS.UPDATE", nil}, {"$SYS.REQ.CLAIMS.UPDATE", nil},
	{"$SYS.REQ.SERVER.X.RELOAD", nil}, {"$SYS.REQ.SERVER.X.KICK", nil}, {"$SYS.REQ.SERVER.X.LDM", nil}, {"$SYS.DEBUG.SUBSCRIBERS", nil},
}

// everyAttempt is the whole table. The administrator may ask anything of the API; what answers is tried in people_test.go.
func everyAttempt() []attempt {
	all := slices.Clone(attempts)
	for _, user := range []string{"ingress", "worker", "archive", "console", "viewer", "operator-kim", "monitor", "upstream-shop", "ledger-" + accounting, "notifier", "administrator"} {
		for _, a := range forEverybody {
			if user == "administrator" && strings.HasPrefix(a.subject, "$JS.API.") {
				continue
			}
			all = append(all, attempt{user, "publish", a.subject, slices.Contains(a.except, user)})
		}
		for _, subject := range []string{">", "$SYS.>", "$JS.>", "intake.>", "webhook.received.>", "audit.>", "copy.>", "parked.*.*"} {
			all = append(all, attempt{user, "subscribe", subject, false})
		}
	}
	seen := map[attempt]bool{}
	return slices.DeleteFunc(all, func(a attempt) bool { again := seen[a]; seen[a] = true; return again })
}

// tryEverything tries the whole table, each user on one connection, and who has no key at all.
func tryEverything(t *testing.T, b broker) {
	t.Helper()
	connections := map[string]*nats.Conn{}
	for _, a := range everyAttempt() {
		if connections[a.user] == nil {
			connections[a.user] = b.login(t, a.user)
		}
		if allowed := a.try(t, connections[a.user]); allowed != a.allowed {
			t.Errorf("%s may %s %s: %t, must be %t", a.user, a.action, a.subject, allowed, a.allowed)
		}
	}
	url := strings.Join(b.urls(), ",")
	if nc, err := nats.Connect(url, nats.RootCAs(b.ca()), nats.Timeout(timeout)); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("without a key: %v", err)
		nc.Close()
	}
	if nc, err := nats.Connect(strings.ReplaceAll(url, "tls://", "nats://"), nats.UserInfo("worker", "worker"), nats.RootCAs(b.ca())); err == nil {
		t.Error("with a password: let in")
		nc.Close()
	}
	if nc, err := nats.Connect(url); err == nil {
		t.Error("without our CA: connected")
		nc.Close()
	}
}

// try does one thing on the user's connection and reports whether the server let it. What is published is
// empty and asks for an answer on the user's own inbox, so that nothing of it is work for a program.
func (a attempt) try(t *testing.T, nc *nats.Conn) bool {
	t.Helper()
	before := nc.LastError()
	switch a.action {
	case "publish":
		testenv.Must(t, nc.PublishRequest(a.subject, nc.NewInbox(), []byte("{}")))
	case "subscribe":
		s, err := nc.SubscribeSync(a.subject)
		testenv.Must(t, err)
		defer func() { _ = s.Unsubscribe() }() // which one that was refused cannot do
	default:
		t.Fatalf("what is %q?", a.action)
	}
	return unrefused(t, nc, before, a.subject)
}

// allows publishes a message on a connection of its own and reports whether the server let it.
func (b broker) allows(t *testing.T, user string, msg *nats.Msg) bool {
	t.Helper()
	nc := b.login(t, user)
	defer nc.Close()
	testenv.Must(t, nc.PublishMsg(msg))
	return unrefused(t, nc, nil, msg.Subject, msg.Reply)
}

// unrefused reports whether the server refused nothing on a connection since the error before, which was of another attempt: each
// refusal is an error of its own, and names one of the subjects.
func unrefused(t *testing.T, nc *nats.Conn, before error, subjects ...string) bool {
	t.Helper()
	// The server refuses before it answers the ping of the flush.
	testenv.Must(t, nc.FlushTimeout(timeout))
	err := nc.LastError()
	named := func(subject string) bool { return strings.Contains(err.Error(), `"`+subject+`"`) }
	switch {
	case err == before:
		return true
	case errors.Is(err, nats.ErrPermissionViolation) && slices.ContainsFunc(subjects, named):
		return false
	default:
		t.Fatalf("%s: %v", subjects, err)
		return false
	}
}
