package console

import (
	"net/http"

	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/message/catalog"
)

// languages are the languages of the console, the first being taken where a browser wants none of them.
var languages = []language.Tag{language.English, language.Korean}

// languageCookie is set by a person who wants another language than the browser.
const languageCookie = "payonce-language"

// languageOf returns the language for a request.
func languageOf(r *http.Request) language.Tag {
	wanted := r.Header.Get("Accept-Language")
	if c, err := r.Cookie(languageCookie); err == nil {
		wanted = c.Value
	}
	tags, _, _ := language.ParseAcceptLanguage(wanted) // what cannot be read is not wanted
	_, i, _ := language.NewMatcher(languages).Match(tags...)
	return languages[i]
}

// english has what isn't its own key.
var english = map[string]string{
	"status requested": "queued", "status submitting": "submitting", "status pending": "pending", "status in_doubt": "in doubt", "status conflict": "conflict",
	"status parked": "parked", "status settled": "settled", "status failed": "failed", "status reversed": "reversed", "한국어": "한국어",
	"stage intended": "begun", "stage finished": "finished", "stage requested": "requested", "stage approved": "approved", "stage refused": "refused",
	"stage expired": "expired", "stage overtaken": "overtaken",
	"action release": "release", "action cancel": "cancel", "action settle": "settle", "action fail": "fail", "action retry": "send again", "action replay": "replay",
	"action drop": "drop", "action unmask": "unmask", "action apply": "apply streams", "action account": "account", "action accept": "accept log", "action skip": "step over",
	"action erase": "erase", "action import": "import payouts",
	"action test": "test endpoint", "action disable": "disable endpoint", "action enable": "enable endpoint", "action rewind": "rewind ledger", "action rebuild": "rebuild archive",
}

// printers write words, by language. English words are their own keys, but for those of english.
func printers() map[language.Tag]*message.Printer {
	words := catalog.NewBuilder(catalog.Fallback(language.English))
	for key, text := range english {
		if err := words.SetString(language.English, key, text); err != nil {
			panic(err) // the texts are constants
		}
	}
	for english, korean := range korean {
		if err := words.SetString(language.Korean, english, korean); err != nil {
			panic(err) // the texts are constants
		}
	}
	all := map[language.Tag]*message.Printer{}
	for _, tag := range languages {
		all[tag] = message.NewPrinter(tag, message.Catalog(words))
	}
	return all
}
