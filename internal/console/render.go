package console

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"payonce/internal/console/signin"
	"payonce/pkg/payment"
)

//go:embed templates
var templateFiles embed.FS

//go:embed assets
var assetFiles embed.FS

// pages are the parsed templates, by language and name.
type pages map[language.Tag]map[string]*template.Template

// parse reads all templates. A page is the layout and one file that defines its content.
func parse(zone *time.Location, now func() time.Time) (pages, error) {
	names, err := templateFiles.ReadDir("templates")
	if err != nil {
		return nil, err
	}
	all := pages{}
	for tag, printer := range printers() {
		all[tag] = map[string]*template.Template{}
		for _, file := range names {
			name := strings.TrimSuffix(file.Name(), ".html")
			if name == "layout" || name == "pieces" {
				continue
			}
			t := template.New(name).Funcs(functions(printer, zone, now))
			for _, part := range []string{"layout", "pieces", name} {
				if t, err = t.ParseFS(templateFiles, path.Join("templates", part+".html")); err != nil {
					return nil, err
				}
			}
			all[tag][name] = t
		}
	}
	return all, nil
}

// words translates a text of the pages, with its arguments.
type words func(english string, args ...any) string

// functions are what templates can call.
func functions(printer *message.Printer, zone *time.Location, now func() time.Time) template.FuncMap {
	word := words(func(english string, args ...any) string { return printer.Sprintf(english, args...) })
	return template.FuncMap{
		"t":          word,
		"payment":    paymentPath,
		"endpoint":   endpointPath,
		"moment":     func(at time.Time) template.HTML { return timeTag(at, at.In(zone).Format("Mon 15:04"), zone) },
		"count":      func(n int) string { return printer.Sprintf("%d", n) },
		"money":      grouped,
		"weekday":    func(at time.Time) template.HTML { return timeTag(at, at.In(zone).Format("Mon 2006-01-02 15:04"), zone) },
		"ago":        func(at time.Time) template.HTML { return timeTag(at, ago(word, now().Sub(at)), zone) },
		"at":         func(at time.Time) template.HTML { return timeTag(at, at.In(zone).Format("2006-01-02 15:04:05"), zone) },
		"span":       func(d time.Duration) string { return span(word, d) },
		"took":       took,
		"both":       bothZones,
		"zone":       func() *time.Location { return zone },
		"plain":      plain,
		"plainLines": plainLines,
		"reason":     reasonText,
		"query":      url.QueryEscape,
		"day":        func(at time.Time) string { return at.In(zone).Format(time.DateOnly) },
		"dayIn":      func(at time.Time, in *time.Location) string { return at.In(in).Format(time.DateOnly) },
		"before":     func(at time.Time) time.Time { return at.Add(-1) },
		"left":       func(i int) int { return i * barWidth },
		"seconds":    func(n float64) string { return span(word, time.Duration(n*float64(time.Second))) },
		"chosen":     chosenValue,
		"letter":     letterValue,
		"every":      everyPath,
	}
}

// timeTag shows a time, and on hover exactly, in both zones. What stands in it is made here.
func timeTag(at time.Time, shown string, zone *time.Location) template.HTML {
	if at.IsZero() {
		return "–"
	}
	return template.HTML(fmt.Sprintf(`<time datetime="%s" title="%s · %s">%s</time>`, at.UTC().Format(time.RFC3339Nano), //nolint:gosec // see above
		at.In(zone).Format("2006-01-02 15:04:05.000 MST"), at.UTC().Format("15:04:05 UTC"), template.HTMLEscapeString(shown)))
}

// grouped writes an amount for people: "1,250,000 KRW", and a dash where none is known.
func grouped(m payment.Money) string {
	if m.IsZero() {
		return "–"
	}
	whole, rest, decimals := strings.Cut(m.Value(), ".")
	for i := len(whole) - 3; i > 0 && whole[i-1] != '-'; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if decimals {
		whole += "." + rest
	}
	return whole + "\u00a0" + m.Currency
}

// span writes how long something takes, in the largest unit that fits: "45 s", "3 min".
func span(word words, d time.Duration) string {
	d = d.Abs()
	switch {
	case d < time.Minute:
		return word("%d s", int(d.Seconds()))
	case d < 2*time.Hour:
		return word("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return word("%d h", int(d.Hours()))
	}
	return word("%d d", int(d.Hours()/24))
}

// took writes how long a step took, so that short ones can be compared.
func took(d time.Duration) string {
	if d < time.Minute {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

// bothZones writes a time with milliseconds where the provider is, if that is known, and in UTC.
func bothZones(at time.Time, zone *time.Location) template.HTML {
	const form = "2006-01-02 15:04:05.000 MST"
	shown := at.UTC().Format(form)
	if zone != nil {
		shown = at.In(zone).Format(form) + " · " + at.UTC().Format("15:04:05 MST")
	}
	return template.HTML(fmt.Sprintf(`<time datetime="%s">%s</time>`, at.UTC().Format(time.RFC3339Nano), template.HTMLEscapeString(shown))) //nolint:gosec // made here
}

// ago writes how long ago something was, or in how long it will be.
func ago(word words, d time.Duration) string {
	if d < -time.Second {
		return word("in %s", span(word, d))
	}
	return word("%s ago", span(word, d))
}

// frame is what the layout shows around a page.
type frame struct {
	Lang, OtherLang  string
	Title, URL, Live string
	Environment      string
	Me               signin.Person
	Acts             bool    // whether the person can act on payments here
	Notice           *notice // what came of an action
	Menu             []menuItem
	Data             any
}

type menuItem struct {
	Path, Name string
	Count      int
	Current    bool
}

// render writes a page, or nothing but an error: a page that breaks in the middle must not look like a whole one.
func (c *Console) render(w http.ResponseWriter, r *http.Request, status int, name, title string, data any) {
	tag := languageOf(r)
	var body bytes.Buffer
	if err := c.pages[tag][name].ExecuteTemplate(&body, "layout", c.frame(r, tag, title, data)); err != nil {
		c.o.Logger.ErrorContext(r.Context(), "a page cannot be made", "page", name, "error", err)
		http.Error(w, "the page cannot be made; the console's log says why", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Language", tag.String())
	w.Header().Add("Vary", "Accept-Language, Cookie")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes())
}
