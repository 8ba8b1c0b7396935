package teemopay

import (
	"strings"
	"unicode"

	"payonce/pkg/connectors"
	"payonce/pkg/payment"
)

// paymentWords name what of a request belongs to one payment: its fields, and how people write them. One that has
// several words is also looked for as one ("bankcode").
var paymentWords = []string{
	"merchant order no", "merchant order number", "merchant order id", "merchant order", "order no", "order number", "order id",
	"amount", "payment type", "pay type", "expiration time", "expire time", "expired time", "expiration",
	"real name", "user name", "customer name", "payer name", "payee name", "receiver name", "beneficiary name", "beneficiary",
	"bank code", "bank name", "bank account", "bank card", "bank", "card number", "card no", "card",
	"account no", "account number", "account name", "account type", "account holder number", "account holder", "id type", "id card", "id number",
	"ipaddress", "phone", "mobile", "email", "e mail", "mail", "birth date", "birthday",
}

// accountWords name what of a request belongs to our account, its settings or its connection.
var accountWords = []string{
	"sign", "signature", "signing", "signed", "unsigned", "app code", "app id", "app", "application", "nonce", "timestamp", "time stamp", "request time", "country",
	"public key", "private key", "secret key", "secret", "key", "rsa", "merchant name", "merchant account", "merchant", "mch",
	"callback url", "callback", "notify url", "notify", "notification", "ip", "ip address", "white list", "allow list", "content type", "header",
	"permission", "permissions", "authorization", "authentication", "unauthorized", "unauthorised", "forbidden", "channel",
}

// The same in Chinese, which has no blanks between words.
var (
	paymentTerms = []string{"商户订单号", "订单", "金额", "银行", "姓名", "手机", "电话", "邮箱", "卡号", "账号", "账户类型", "证件", "支付方式", "过期时间"}
	accountTerms = []string{"签名", "验签", "应用", "随机", "时间戳", "国家", "公钥", "私钥", "密钥", "商户", "回调", "通知地址", "白名单", "请求头", "权限", "通道"}
)

// maxRefusal is the longest text of a refusal that is read for its meaning, in bytes. Those of the pages have some 50.
const maxRefusal = 512

// parameterMeaning reads the text of code 414, in which the pages give only a star. A text that names what belongs
// to our account refuses the account; one that names a field of the payment refuses the payment. One that names
// both or neither is in doubt: no payment fails on a guess.
//
// The text can repeat the command, whole, cut or in other letters, and a customer's name must not say whose fault it
// is: a word decides nothing that the command has too. For our account that holds for each word of the command by
// itself, since it could complete a name with what is beside it.
func parameterMeaning(message string, cmd payment.Command) codeMeaning {
	if len(message) > maxRefusal {
		return codeMeaning{connectors.MeansInDoubt, createPages + "a parameter must be changed, and the text is too long to say whose"}
	}
	own := words(strings.Join(sentTexts(cmd), " , "))
	ofPayment, text := names(words(message), paymentWords, paymentTerms, own)
	ofAccount, _ := names(without(text, own), accountWords, accountTerms, own)
	switch {
	case ofAccount && !ofPayment:
		return codeMeaning{connectors.MeansMisconfigured, createPages + "a parameter must be changed, and the text names one of our account"}
	case ofPayment && !ofAccount:
		return codeMeaning{connectors.MeansRejected, createPages + "a parameter must be changed, and the text names one of the payment"}
	}
	return codeMeaning{connectors.MeansInDoubt, createPages + "a parameter must be changed, and the text does not say whose"}
}

// sentTexts are the texts of a command that a request can hold.
func sentTexts(cmd payment.Command) []string {
	return []string{
		cmd.Order, cmd.Customer.Name, cmd.Customer.FirstName, cmd.Customer.LastName, cmd.Customer.Email, cmd.Customer.Phone, cmd.Customer.IPAddress,
		cmd.Customer.IDType, cmd.Customer.IDNumber, cmd.Customer.ID, cmd.Account.Number, cmd.Account.Holder, cmd.Account.BankName, cmd.Account.BankCode,
	}
}

// words returns a text in lower case, with one blank before and behind each word. The field ipAddress, the
// customer's, keeps its own name: "IP address" is mostly ours.
func words(text string) string {
	all := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	text = " " + strings.Join(all, " ") + " "
	if strings.Contains(text, " ipaddress ") {
		text = strings.ReplaceAll(text, " ip address ", " ")
	}
	return text
}

// names reports whether a text has one of the words or terms, but for those that own has too, and returns it
// without any of them.
func names(text string, phrases, terms []string, own string) (found bool, rest string) {
	rest = text
	take := func(phrase, mark string, sent bool) {
		for strings.Contains(rest, phrase) { // twice, where the blank between two belongs to the first
			rest, found = strings.ReplaceAll(rest, phrase, mark), found || !sent
		}
	}
	for _, phrase := range phrases {
		for _, form := range []string{phrase, strings.ReplaceAll(phrase, " ", "")} {
			take(" "+form+" ", " · ", strings.Contains(own, " "+phrase+" ") || strings.Contains(own, " "+form+" "))
		}
	}
	for _, term := range terms {
		take(term, "·", strings.Contains(own, term))
	}
	return found, rest
}

// without covers each word of a text that own has, too.
func without(text, own string) string {
	all := strings.Fields(text)
	for i, word := range all {
		if strings.Contains(own, " "+word+" ") {
			all[i] = "·"
		}
	}
	return " " + strings.Join(all, " ") + " "
}
