package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"payonce/internal/app"
	"payonce/test/campaign"
)

func TestUsage(t *testing.T) {
	for _, test := range []struct {
		args string
		code int
		says string
	}{
		{"--help", app.ExitOK, "--seed 7 --orders 500"},
		{"--nonsense", app.ExitUsage, "nonsense"},
		{"--orders 0", app.ExitUsage, "orders"},
		{"--duration 1ms", app.ExitUsage, "duration"},
		{"--workers 0 --drain 1ms", app.ExitUsage, "drain"},
		{"now", app.ExitUsage, "no arguments"},
	} {
		var out, problems bytes.Buffer
		if code := run(t.Context(), strings.Fields(test.args), &out, &problems); code != test.code || !strings.Contains(problems.String(), test.says) {
			t.Errorf("%s: code %d, %s", test.args, code, problems.String())
		}
	}
}

// Exit code 0 is for a promise that held.
func TestExitCode(t *testing.T) {
	for _, test := range []struct {
		err  error
		code int
		says string
	}{
		{nil, app.ExitOK, ""},
		{campaign.ErrBroken, app.ExitFailed, ""},
		{fmt.Errorf("audit: %w", errors.New("no log")), app.ExitFailed, "campaign: audit: no log\n"},
	} {
		var problems bytes.Buffer
		if code := exitCode(test.err, &problems); code != test.code || problems.String() != test.says {
			t.Errorf("%v: code %d, %q", test.err, code, problems.String())
		}
	}
}

func TestMakeTarget(t *testing.T) {
	text, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), fmt.Sprintf("\nORDERS   ?= %d\n", campaign.DefaultOrders)) || !strings.Contains(string(text), "\ncampaign: ") {
		t.Error("make campaign is not there, or has other defaults than the program")
	}
}
