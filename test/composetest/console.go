package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"payonce/pkg/payment"
)

var consoleLink = regexp.MustCompile(`"link":"[^"]*[?&]token=([^"&\\]+)`)

// linkToken returns the token of the last link in a console's log.
func linkToken(log string) (string, error) {
	found := consoleLink.FindAllStringSubmatch(log, -1)
	if len(found) == 0 {
		return "", errors.New("its log has no link to sign in")
	}
	return url.QueryUnescape(found[len(found)-1][1])
}

// missing returns the texts that a page does not have.
func missing(page string, wanted []string) []string {
	return slices.DeleteFunc(slices.Clone(wanted), func(text string) bool { return strings.Contains(page, text) })
}

// signIn signs in with the link of the console's log, as the page of the test environment says. A console that was started again writes
// another link, and knows no one.
func (s *stack) signIn(ctx context.Context) error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	browser := &http.Client{Jar: jar, Timeout: 30 * time.Second}
	err = eventually(ctx, func(ctx context.Context) error {
		log, err := s.read(ctx, "logs", "--no-color", "console")
		if err != nil {
			return err
		}
		token, err := linkToken(log)
		if err == nil && token == s.usedLink {
			err = errors.New("its log has no link but the one that was used")
		}
		if err == nil {
			_, err = open(ctx, browser, http.MethodPost, s.consoleURL+"/sign-in/link", url.Values{"token": {token}})
		}
		if err == nil {
			s.usedLink, s.browser = token, browser
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("sign in to the console: %w", err)
	}
	return nil
}

// console looks at a payment, at the list of payments, which comes from the archive, and at how everything stands.
func (s *stack) console(ctx context.Context, ref payment.Ref) error {
	if s.browser == nil {
		if err := s.signIn(ctx); err != nil {
			return err
		}
	}
	for path, wanted := range map[string][]string{
		"/":                            {"worker@", "ingress@", "archive@", "notifier@", "takes webhooks", ref.Provider},
		"/payments?order=" + ref.Order: {`status settled">`, "/payments/" + ref.String()},
		"/payments/" + ref.String():    {`status settled">`, "/payments/" + ref.String()},
	} {
		err := eventually(ctx, func(ctx context.Context) error {
			page, err := open(ctx, s.browser, http.MethodGet, s.consoleURL+path, nil)
			if lacks := missing(page, wanted); err == nil && len(lacks) > 0 {
				err = fmt.Errorf("the page has no %q", lacks)
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("console %s: %w", path, err)
		}
	}
	fmt.Printf("==> the console shows %s, every process and the endpoint\n", ref)
	return nil
}

// open sends a request as a browser does and returns the page that it ends at.
func open(ctx context.Context, browser *http.Client, method, address string, form url.Values) (string, error) {
	request, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	if form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	reply, err := browser.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = reply.Body.Close() }()
	page, err := io.ReadAll(io.LimitReader(reply.Body, 16<<20))
	if err == nil && (reply.StatusCode != http.StatusOK || strings.HasPrefix(reply.Request.URL.Path, "/sign-in")) {
		err = fmt.Errorf("%s at %s", reply.Status, reply.Request.URL.Path)
	}
	return string(page), err
}
