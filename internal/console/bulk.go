package console

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"payonce/pkg/events"
	"payonce/pkg/operator"
	"payonce/pkg/payment"
	"payonce/pkg/search"
)

// bulkPage asks before something is done to one or many payments or dead letters: how many, how much, which.
type bulkPage struct {
	asked
	Action   events.Action
	Title    string
	Payments []payment.Payment // what it will be done to
	Letters  []operator.DeadLetter
	Left     []payment.Payment // chosen, and not possible as they stand
	Totals   []payment.Money   // of Payments, by currency
	NoAmount int               // of which the amount is not known
	Cut      bool              // more match than one action can be about
	Looked   *search.Looked
	Closed   int  // of how many the provider is closed now
	Second   bool // a second person must approve it
}

// Number is how many it will be done to.
func (p bulkPage) Number() int { return len(p.Payments) + len(p.Letters) }

// bulkActions are those of one or many payments, and their titles.
var bulkActions = map[events.Action]string{
	events.ActionRelease: "Release", events.ActionCancel: "Cancel payments", events.ActionReplay: "Replay dead letters", events.ActionDrop: "Drop dead letters",
}

// bulk shows what would be done.
func (c *Console) bulk(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readTimeout)
	defer cancel()
	page, err := c.chosen(ctx, r)
	c.showBulk(w, r, http.StatusOK, page, err)
}

func (c *Console) showBulk(w http.ResponseWriter, r *http.Request, status int, page bulkPage, err error) {
	switch {
	case errors.Is(err, errNoAction):
		c.notFound(w, r)
	case err != nil:
		c.failed(w, r, err)
	default:
		c.render(w, r, status, "bulk", page.Title, page)
	}
}

var errNoAction = errors.New("no such action")

// chosen reads what a request is about, as it stands.
func (c *Console) chosen(ctx context.Context, r *http.Request) (page bulkPage, err error) {
	page.Action = events.Action(r.PathValue("action"))
	title, has := bulkActions[page.Action]
	if !has {
		return page, errNoAction
	}
	page.Title = c.say(r)(title)
	if page.Action == events.ActionReplay || page.Action == events.ActionDrop {
		page.asked = askedBy(r, "/dead-letters")
		err = c.chosenLetters(ctx, r, &page)
		return page, err
	}
	page.asked = askedBy(r, "/parked")
	refs, err := c.chosenRefs(ctx, r, &page)
	if err == nil {
		err = c.readChosen(ctx, refs, &page)
	}
	return page, err
}

// chosenRefs are the payments that a form names, or all that match.
func (c *Console) chosenRefs(ctx context.Context, r *http.Request, page *bulkPage) (refs []payment.Ref, err error) {
	switch all := r.Form.Get("all"); {
	case r.Method == http.MethodGet && r.Form.Has("rest"):
		refs, _ = c.rest(r)
	case r.Method == http.MethodGet && all == "parked":
		provider := r.Form.Get("provider")
		if provider != "" && !payment.ValidProvider(provider) {
			return nil, nil
		}
		refs, err = c.o.Queue.ParkedOrders(ctx, provider)
	case r.Method == http.MethodGet && all == "payments":
		refs, err = c.matching(ctx, r, page)
	default:
		for _, text := range r.Form["payment"] {
			provider, order, _ := strings.Cut(text, "/")
			if ref := (payment.Ref{Provider: provider, Order: order}); ref.Validate() == nil && !slices.Contains(refs, ref) {
				refs = append(refs, ref)
			}
			if len(refs) > bulkMost {
				break
			}
		}
	}
	if page.Cut = page.Cut || len(refs) > bulkMost; len(refs) > bulkMost {
		refs = refs[:bulkMost]
	}
	return refs, err
}

// matching are the payments that the filters of the list choose.
func (c *Console) matching(ctx context.Context, r *http.Request, page *bulkPage) (refs []payment.Ref, err error) {
	values, _, _ := c.filters(r)
	values.Del("all")
	values.Del("back")
	filter, problems := search.Parse(values)
	for _, p := range problems {
		page.Problem = p.Name + ": " + p.Detail
		return nil, nil
	}
	for after := ""; ; {
		found, err := c.o.Search.Find(ctx, filter, after, search.MaxPage)
		if err != nil {
			return nil, err
		}
		for _, e := range found.Entries {
			refs = append(refs, e.Payment.Ref)
		}
		if page.Looked = found.Looked; found.Next == "" || len(refs) > bulkMost {
			return refs, nil
		}
		after = found.Next
	}
}

// readChosen reads the payments as they stand, and sets apart those for which the action is not possible.
func (c *Console) readChosen(ctx context.Context, refs []payment.Ref, page *bulkPage) error {
	all := make([]payment.Payment, len(refs))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(16)
	for i, ref := range refs {
		group.Go(func() (err error) {
			all[i], err = c.standing(ctx, ref)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	may := releasable
	if page.Action == events.ActionCancel {
		may = cancellable
	}
	totals, now := map[string]int64{}, c.o.Now()
	for _, p := range all {
		if !may(p.Status) {
			page.Left = append(page.Left, p)
			continue
		}
		page.Payments = append(page.Payments, p)
		if p.Amount.IsZero() {
			page.NoAmount++
		} else {
			totals[p.Amount.Currency] += p.Amount.Minor
		}
		if hours, known := c.hoursOf(p); known && !hours.Open(now) {
			page.Closed++
		}
		page.Second = page.Second || page.Action == events.ActionCancel && c.o.Acting.Actions.Approvals.Needed(p.Amount)
	}
	for _, currency := range slices.Sorted(maps.Keys(totals)) {
		page.Totals = append(page.Totals, payment.Money{Minor: totals[currency], Currency: currency})
	}
	return nil
}

// standing is a payment as the log has it, or else as its command has it. One that neither knows has no status.
func (c *Console) standing(ctx context.Context, ref payment.Ref) (payment.Payment, error) {
	p, _, err := c.o.Last.Last(ctx, ref)
	if _, unreadable := events.Unreadable(err); unreadable {
		return payment.Payment{Ref: ref}, nil
	}
	if !errors.Is(err, events.ErrNoPayment) {
		p.Ref = ref
		return p, err
	}
	command, err := c.o.Queue.QueuedCommand(ctx, ref)
	if errors.Is(err, events.ErrNotQueued) {
		return payment.Payment{Ref: ref}, nil
	}
	if err != nil {
		return payment.Payment{}, err
	}
	if decoded, err := events.DecodeCommand(command); err == nil {
		return payment.New(decoded), nil
	}
	return payment.Payment{Ref: ref, Status: payment.Requested}, nil
}

// chosenLetters are the dead letters that a form names, or all of a provider.
func (c *Console) chosenLetters(ctx context.Context, r *http.Request, page *bulkPage) error {
	all, provider := r.Method == http.MethodGet && r.Form.Get("all") == "letters", r.Form.Get("provider")
	wanted := map[uint64]bool{}
	for _, text := range r.Form["letter"] {
		wanted[number(text)] = true
	}
	if r.Method == http.MethodGet && r.Form.Has("rest") {
		_, letters := c.rest(r)
		for _, sequence := range letters {
			wanted[sequence] = true
		}
	}
	delete(wanted, 0)
	if !all {
		for _, seq := range slices.Sorted(maps.Keys(wanted)) {
			letters, err := c.o.Records.DeadLetters(ctx, seq-1, 1)
			if err != nil {
				return err
			}
			if len(letters) > 0 && letters[0].Sequence == seq && len(page.Letters) < bulkMost {
				page.Letters = append(page.Letters, operator.DeadLetterOf(letters[0]))
			}
		}
		return nil
	}
	for after := uint64(0); ; {
		letters, err := c.o.Records.DeadLetters(ctx, after, bulkMost)
		if err != nil {
			return err
		}
		for _, l := range letters {
			after = l.Sequence
			if line := operator.DeadLetterOf(l); provider == "" || line.Provider == provider {
				if len(page.Letters) == bulkMost {
					page.Cut = true
					return nil
				}
				page.Letters = append(page.Letters, line)
			}
		}
		if len(letters) < bulkMost {
			return nil
		}
	}
}

// doBulk does it to exactly what was shown, with an audit record for each provider. What takes long goes on behind a page of its own.
func (c *Console) doBulk(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readTimeout)
	defer cancel()
	page, err := c.chosen(ctx, r)
	who := actor(r)
	if err == nil && page.Number() > 0 && who.Validate() != nil {
		page.Problem = c.say(r)(reasonMissing)
		c.showBulk(w, r, http.StatusBadRequest, page, nil)
		return
	}
	if err != nil || page.Number() == 0 { // what was shown is gone, or cannot be done any more
		c.showBulk(w, r, http.StatusConflict, page, err)
		return
	}
	over, _ := time.ParseDuration(r.PostForm.Get("over"))
	name, j := c.begin(ctx, page, who, over)
	if j == nil {
		page.Problem = c.say(r)("Too many actions are under way. Nothing was done: try again later.")
		c.showBulk(w, r, http.StatusServiceUnavailable, page, nil)
		return
	}
	quick := time.NewTimer(jobQuick)
	defer quick.Stop()
	select {
	case <-j.ended:
		c.tellAndGo(w, r, page.Back, c.toldOf(r, name, j))
	case <-quick.C:
		http.Redirect(w, r, jobPath+name, http.StatusSeeOther)
	case <-r.Context().Done(): // the page was closed; the action goes on
	}
}

// carryOut acts on the payments or dead letters of each provider, and keeps what came of them.
func (c *Console) carryOut(ctx context.Context, j *job, over time.Duration) {
	items := map[string][]events.AuditItem{}
	for _, p := range j.page.Payments {
		items[p.Provider] = append(items[p.Provider], events.AuditItem{Order: p.Order, Upstream: p.Upstream, Before: p.Status})
	}
	for _, l := range j.page.Letters {
		items[l.Provider] = append(items[l.Provider], events.AuditItem{Order: l.Order, Upstream: l.Upstream, DeadLetter: l.Sequence})
	}
	times := c.times(j.page.Payments, over)
	for _, provider := range slices.Sorted(maps.Keys(items)) {
		of := operator.Batch{Provider: provider, Who: j.who, Items: items[provider], Done: func() { j.done.Add(1) }}
		_, err := c.onProvider(ctx, j.page.Action, of, times)
		j.parts = append(j.parts, jobPart{provider, of.Items, err})
	}
}

func (c *Console) onProvider(ctx context.Context, action events.Action, b operator.Batch, times map[payment.Ref]time.Time) (map[string]int, error) {
	a := c.o.Acting.Actions
	switch action {
	case events.ActionRelease:
		at := map[string]time.Time{}
		for _, item := range b.Items {
			at[item.Order] = times[payment.Ref{Provider: b.Provider, Order: item.Order}]
		}
		return a.Release(ctx, b, at)
	case events.ActionCancel:
		return a.Cancel(ctx, b)
	case events.ActionDrop:
		return a.Drop(ctx, c.o.Acting.DeadLetters, b)
	}
	return a.Replay(ctx, c.o.Acting.DeadLetters, b)
}

// spreadMost bounds over how long a release is spread.
const spreadMost = 4 * time.Hour

// times says when each payment is tried: spread evenly, and never later than it would be by itself. One in doubt is looked up now.
func (c *Console) times(all []payment.Payment, over time.Duration) map[payment.Ref]time.Time {
	now, times := c.o.Now(), map[payment.Ref]time.Time{}
	over = min(max(over, 0), spreadMost)
	for i, p := range all {
		at := now
		if p.Status == payment.Parked {
			at = now.Add(over / time.Duration(len(all)) * time.Duration(i))
			if at.After(p.ResumeAt) && p.ResumeAt.After(now) {
				at = p.ResumeAt
			}
		}
		times[p.Ref] = at
	}
	return times
}

// resultWords are the results that are translated; others say what is peculiar to one payment.
var resultWords = []string{
	operator.Released, operator.LookedUp, operator.Delivered, operator.Cancelled, operator.Replayed, operator.Dropped, operator.NotFound,
	operator.SentAgain,
}

func (c *Console) result(r *http.Request, text string) string {
	if slices.Contains(resultWords, text) {
		return c.say(r)(text)
	}
	return plain(text)
}

// everyPath is the page of an action on all payments of a list.
func everyPath(action, list string, values url.Values) string {
	every := clone(values)
	every.Del("notice")
	back := "/" + list + question(every)
	if list == "dead-letters" {
		list = "letters"
	}
	every.Set("all", list)
	every.Set("back", back)
	return "/actions/" + action + "?" + every.Encode()
}

// chosenValue names a payment in a form.
func chosenValue(provider, order string) string { return provider + "/" + order }

func letterValue(sequence uint64) string { return strconv.FormatUint(sequence, 10) }
