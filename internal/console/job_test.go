package console_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"payonce/internal/console"
	"payonce/pkg/operator"
	"payonce/test/axe"
)

// letters are dead letters whose deletion a test can hold up, or fail.
type letters struct {
	operator.DeadLetters
	drop func(ctx context.Context, sequence uint64) error
}

func (l letters) DropDeadLetter(ctx context.Context, sequence uint64) error {
	if err := l.drop(ctx, sequence); err != nil {
		return err
	}
	return l.DeadLetters.DropDeadLetter(ctx, sequence)
}

func withLetters(drop func(ctx context.Context, sequence uint64) error) func(*console.Options) {
	return func(o *console.Options) { o.Acting.DeadLetters = letters{o.Acting.DeadLetters, drop} }
}

// An action that takes long has a page that shows how far it is, and in the end what came of it. It goes on when the page is closed, and
// only who began it sees it.
func TestLongActionShowsItsProgress(t *testing.T) {
	script, goOn := axe.Script(t), make(chan struct{})
	s := start(t, withLetters(func(_ context.Context, sequence uint64) error {
		if sequence == 2 {
			<-goOn
		}
		return nil
	}))
	s.deadLetter("X-1")
	s.deadLetter("X-2")
	ctx := browser(t, 1280, 800)
	s.signInAs(ctx, "ann", "/actions/drop?all=letters")
	do(ctx, t, chromedp.WaitVisible("#reason"), chromedp.SendKeys("#reason", "of a test\r"), chromedp.WaitVisible("#progress"))
	at := ask(ctx, t, chromedp.Location())
	if !strings.HasPrefix(at, s.url+"/actions/running/") {
		t.Errorf("at %s", at)
	}
	do(ctx, t, chromedp.WaitVisible(`progress[value="1"][max="2"]`))
	inBothColours(ctx, t, script, "progress")
	shoot(ctx, t, "act-progress-wide")
	path := strings.TrimPrefix(at, s.url)
	if status, _, page := s.get(s.clientOf("lee"), path); status != http.StatusNotFound {
		t.Errorf("another person sees %d %s", status, page)
	}
	do(ctx, t, chromedp.Navigate(s.url+"/dead-letters"), chromedp.WaitVisible("main")) // the page is closed
	close(goOn)
	do(ctx, t, chromedp.Navigate(at), chromedp.WaitVisible("#came"))
	if shown := text(ctx, t, "#came"); !strings.Contains(shown, "2: dropped") {
		t.Error(shown)
	}
	inBothColours(ctx, t, script, "what came of it")
	s.wantAudits("intended drop ann: of a test", "finished drop ann: of a test")
}

// What an action did not do is listed, and can be done without doing the others again.
func TestWhatIsLeftOfAnAction(t *testing.T) {
	fail := true
	s := start(t, withLetters(func(_ context.Context, sequence uint64) error {
		if sequence == 2 && fail {
			return errors.New("no answer")
		}
		return nil
	}))
	s.deadLetter("X-1")
	s.deadLetter("X-2")
	ann := s.clientOf("ann")
	form := s.form(ann, "/actions/drop?letter=1&letter=2")
	form.Set("reason", "of a test")
	_, page := s.post(ann, "/actions/drop", form)
	_, link, _ := strings.Cut(page, `<a href="/actions/running/`)
	name, _, found := strings.Cut(link, `"`)
	if !found || !strings.Contains(page, "of 2 were not done") || !strings.Contains(page, "left: no answer") {
		t.Fatal(page)
	}
	_, _, page = s.get(ann, "/actions/running/"+name)
	if !strings.Contains(page, "may be done: look at it") || !strings.Contains(page, "X-2") || !strings.Contains(page, `href="/actions/drop?rest=`+name+`"`) {
		t.Error(page)
	}
	if rest := s.form(s.clientOf("lee"), "/actions/drop?rest="+name); len(rest["letter"]) > 0 {
		t.Errorf("the rest of another person's action: %v", rest)
	}
	fail = false
	rest := s.form(ann, "/actions/drop?rest="+name)
	if all := rest["letter"]; all[len(all)-1] != "2" {
		t.Errorf("the rest is %v", rest)
	}
	rest.Set("reason", "the rest")
	if _, page := s.post(ann, "/actions/drop", rest); !strings.Contains(page, "Done, as far as it was possible") {
		t.Error(page)
	}
	if _, _, page := s.get(ann, "/dead-letters"); strings.Contains(page, "X-1") || strings.Contains(page, "X-2") {
		t.Error(page)
	}
	if status, _ := s.post(ann, "/actions/drop", url.Values{"rest": {name}, "reason": {"x"}}); status != http.StatusConflict {
		t.Errorf("a form that names nothing but the rest: %d", status)
	}
}
