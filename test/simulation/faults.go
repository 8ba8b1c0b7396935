package simulation

import "math/rand/v2"

// fault is one thing that can happen. Most are mistakes of the world, some are customs of a provider.
type fault int

const (
	crash             fault = iota // a process ends, with all its work
	freeze                         // a process stands still, perhaps for longer than a lease
	stop                           // a process is asked to stop
	suspended                      // its machine stands still with the monotonic clock
	paused                         // its machine stands still with both clocks
	timeMoves                      // its time moves against the broker's, within the bound
	clockSet                       // its machine's wall clock is set
	connectionKept                 // a request finds a connection that is open already
	appendUnwritten                // the log did not write and gives an error
	appendUnheard                  // the log wrote and gives an error
	appendLate                     // the log gives an error and writes later, if it still may
	readStale                      // a replica of the log is behind
	readFails                      // the log cannot be read
	slowPort                       // a call takes up to its timeout
	claimFails                     // the claim store did nothing and gives an error
	claimUnheard                   // the claim store did it and gives an error
	claimsFlushed                  // the claim store forgets everything
	claimsDown                     // the claim store is down for a while
	claimsFailOver                 // the claim store goes back to an older state
	claimsForged                   // the claim store has records that no worker wrote
	claimLies                      // the claim store gives a wrong answer
	ackLost                        // an acknowledgement is lost
	ackLate                        // an acknowledgement comes late
	settleFails                    // the broker does not take a parked message or a dead letter
	timerEarly                     // a timer gets an event long before it is due
	timerLate                      // a timer gets an event late
	timerCrowded                   // others wait behind an event that a timer gets
	deliveryLate                   // a message is delivered after younger ones
	commandAgain                   // a command is published twice
	secondCommand                  // another command is published under the same order
	commandShort                   // a command is published on the short subject
	commandExpires                 // a command expires soon
	commandOld                     // a command is older than the log's memory
	commandAhead                   // the upstream's clock is ahead, as far as it may be
	providerClosed                 // a command meets closed hours; drawn by drawHours
	breakerOpen                    // a call is stopped by the breaker; drawn by drawLimits
	budgetSpent                    // a call must wait for the budget; drawn by drawLimits
	cancels                        // a person gives a payment up
	releases                       // a person lets a payment be tried
	purges                         // the command of a payment that may have been sent is deleted from the queue
	requestLost                    // a request is lost on its way
	replyLost                      // a request is executed and its reply is lost
	acceptLate                     // a request is executed after its caller gave it up, as late as the kernel and the provider may
	notSent                        // the provider cannot be reached
	throttled                      // the provider asks to come back later
	lowBalance                     // the provider documents that it executed nothing
	rejected                       // the provider refuses the payment
	lookupFails                    // a look-up gives an error
	lookupHangs                    // look-ups about an order, and many others, get no answer for long
	lookupLags                     // look-ups do not know the order until its settling delay is over
	paidAtOnce                     // the reply to the request brings the outcome
	declined                       // the payment fails at the provider
	endless                        // the payment never ends at the provider
	webhookMissing                 // the outcome's webhook is never sent
	webhookTwice                   // a webhook is sent again
	webhookLate                    // a webhook is late
	webhookEarly                   // a webhook comes while the request is still under way
	webhookOrphan                  // a webhook comes for an order that no process knows
	otherEcho                      // the provider reports another amount than was ordered
	otherAmount                    // another amount arrives
	reversal                       // a settled payment is reversed
	extraTransfer                  // the customer pays once more
	contradiction                  // the provider says the opposite of its outcome
	byPage                         // a deposit is paid on a page, of which the provider hears from the customer
	pageUnused                     // the customer does not come
	pageLastMoment                 // the customer confirms just before the page closes
	lookupForgets                  // look-ups do not know an order that the provider reported
	lookupBlinks                   // a look-up does not know an order for a moment
	refusesForEver                 // the provider refuses an order for ever, by a code that no page documents
	refusedExecuted                // the provider executes what it refuses
	unreadableWebhook              // webhooks about an order cannot be read
	unreadableStatus               // no worker can read what the provider says of a payment, for a while or for ever
	accountRefused                 // the provider refuses our account for a while
	approves                       // a person lets a payment be sent once more
	batchLost                      // the log did not write a batch and gives no answer; perhaps it writes it later, if it still may
	batchUnheard                   // the log wrote a batch and gives no answer
	batchRefused                   // the log refuses a batch for no reason of its appends
	batchStale                     // the log refuses a batch because of one append; never drawn, it follows
	batched                        // a batch has more than one append; never drawn, it follows
	faults
)

// batchFaults are drawn by drawBatching.
var batchFaults = [...]fault{batchLost, batchUnheard, batchRefused}

// rates are the probabilities of the faults in one run. A run knows about half of them, so that each is
// also seen without the noise of the others.
type rates [faults]float64

// troubles are drawn at every call, some dozens for each payment.
var troubles = [...]fault{crash, freeze, stop, suspended, paused, timeMoves, clockSet}

// sum is the probability of any of the troubles.
func (r rates) sum() (all float64) {
	for _, f := range troubles {
		all += r[f]
	}
	return all
}

func drawRates(rng *rand.Rand) rates {
	var r rates
	for f := range r[:batchLost] {
		if rng.IntN(2) == 0 {
			r[f] = [...]float64{0.02, 0.1, 0.3}[rng.IntN(3)]
		}
	}
	for _, f := range troubles {
		r[f] /= 5
	}
	for _, f := range []fault{freeze, suspended, paused} { // three ways to stand still
		r[f] /= 2
	}
	return r
}
