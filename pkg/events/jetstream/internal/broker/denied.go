package broker

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// ErrDenied says that the server refused this user something: what was asked then has no answer, ever.
var ErrDenied = errors.New("NATS does not permit it to this user")

// Denial is what the server refused a user.
type Denial struct {
	Action  string // "publish" or "subscribe"
	Subject string // with the queue group, where there is one
}

// DenialOf reads it out of the server's words: `Permissions Violation for Publish to "parked.x"`. Of other words it is zero.
func DenialOf(err error) Denial {
	_, what, _ := strings.Cut(err.Error(), "ermissions Violation for ")
	kind, subject, found := strings.Cut(what, " to ")
	if !found {
		return Denial{}
	}
	action := "publish"
	if strings.HasPrefix(kind, "Subscription") {
		action = "subscribe"
	}
	return Denial{action, strings.ReplaceAll(subject, `"`, "")}
}

func (d Denial) String() string {
	if d.Subject == "" {
		return "NATS does not permit this user what was asked"
	}
	return fmt.Sprintf("NATS does not permit this user to %s to %s", d.Action, d.Subject)
}

// deniedError is an error whose cause is that the server refused this user something. It leaves out that the request timed out
// then.
type deniedError struct {
	Denial
	err error
}

func (e *deniedError) Error() string {
	if NotReady(e.err) || errors.Is(e.err, context.Canceled) {
		return e.String()
	}
	return e.String() + ": " + e.err.Error()
}

func (e *deniedError) Unwrap() []error { return []error{ErrDenied, e.err} }

// NoteDenied remembers that the server refused this user something, and ends the questions of a program that starts.
func (c *Client) NoteDenied(err error) {
	denial := DenialOf(err)
	c.denied.Store(&denial)
	c.denials.Send()
}

// Denied returns err with the last thing that the server refused this user as its cause, if it refused anything.
func (c *Client) Denied(err error) error {
	if last := c.denied.Load(); last != nil && !errors.Is(err, ErrDenied) {
		return &deniedError{*last, err}
	}
	return err
}
