package console

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/operator"
)

// importTimeout bounds the queueing of a file of payouts.
const importTimeout = 10 * time.Minute

// importResults are what can come of a payout, as AUDIT counts it.
var importResults = map[string]string{"new": "queued", "already_there": "already there", "conflict": "conflicts: the order belongs to another payment", "unsent": "not queued"}

// approveImport approves the import of a file of payouts with the same file, and queues it. One is imported at a time: it takes
// the memory of the file.
func (c *Console) approveImport(w http.ResponseWriter, r *http.Request) {
	say := c.say(r)
	acceptUpload(w, r, importTimeout)
	if !c.importing.TryLock() {
		c.showApproval(w, r, http.StatusServiceUnavailable, say("Another file is being imported. Try again in a minute."), nil)
		return
	}
	defer c.importing.Unlock()
	name, text, err := uploaded(r)
	if r.MultipartForm != nil {
		defer func() { _ = r.MultipartForm.RemoveAll() }()
	}
	if err != nil {
		c.showApproval(w, r, http.StatusBadRequest, say("Choose the file of the request."), nil)
		return
	}
	if actor(r).Validate() != nil {
		c.showApproval(w, r, http.StatusBadRequest, say(reasonMissing), nil)
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), importTimeout) // a page that is closed must not cut it off
	defer cancel()
	found, err := c.o.Approvals.Request(ctx, number(r.PathValue("request")), c.o.Now())
	if err != nil || found.Record.Action != events.ActionImport {
		c.showApproval(w, r, http.StatusConflict, "", nil)
		return
	}
	file, problems, note, err := c.o.Acting.PayoutFile(ctx, found.Record.Provider, name, text)
	switch {
	case err != nil:
		c.showApproval(w, r, http.StatusBadRequest, err.Error(), nil)
	case len(problems) > 0:
		c.showApproval(w, r, http.StatusBadRequest, say("Nothing was queued: the file has problems."), problems)
	default:
		c.importFile(ctx, w, r, file, note)
	}
}

// importFile approves the request and says what came of it.
func (c *Console) importFile(ctx context.Context, w http.ResponseWriter, r *http.Request, file operator.PayoutFile, note string) {
	say, who := c.say(r), actor(r)
	var results map[string]int
	send := file.Send
	file.Send = func(ctx context.Context) (_ map[string]int, err error) {
		results, err = send(ctx)
		return results, err
	}
	err := c.o.Acting.Actions.Approve(ctx, number(r.PathValue("request")), who, &file)
	c.log(ctx, events.ActionImport, who, file.Provider, file.File.Payouts, err)
	if errors.Is(err, operator.ErrOtherFile) {
		c.showApproval(w, r, http.StatusConflict, say("This is not the file of the request: nothing was queued."), nil)
		return
	}
	told := c.said(r, err, say("Approved. Of the payouts of the file:"))
	if err != nil && results != nil {
		told.Text = say("Approved, and not queued to its end. Import the file again, which asks for the rest: payouts that were queued are recognised.")
	}
	for _, name := range slices.Sorted(maps.Keys(results)) {
		if results[name] > 0 {
			told.Lines = append(told.Lines, fmt.Sprintf("%d: %s", results[name], say(importResults[name])))
		}
	}
	if note != "" && err == nil {
		told.Lines = append(told.Lines, plain(note))
	}
	c.tellAndGo(w, r, "/approvals", told)
}
