package main

import (
	"fmt"
	"os"
	"strings"
)

// patience are the times of a trial that the story has longer, in their order in the file. A machine that is busy can
// stop for a second: an answer that is given up in that time has taken the customer's link with it, which no look-up
// brings back, and the story could not go on.
var patience = []struct{ was, is string }{
	{"\n  submit_timeout: 1s\n", "\n  submit_timeout: 3s\n"},
	{"\n  lease: 3s\n", "\n  lease: 7s\n"},
	{"\n  ack_wait: 4s\n", "\n  ack_wait: 8s\n"},
	{"\n      settling_delay: 5s\n", "\n      settling_delay: 10s\n"},
}

// bePatient changes the configuration of a trial.
func bePatient(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	text := string(data)
	for _, one := range patience {
		if !strings.Contains(text, one.was) {
			return fmt.Errorf("%s: there is no %q in it", path, one.was)
		}
		text = strings.ReplaceAll(text, one.was, one.is)
	}
	return os.WriteFile(path, []byte(text), 0o600)
}
