package deploytest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/internal/streamconfig"
	"payonce/pkg/config"
	"payonce/pkg/events/jetstream/admin"
)

// workloads are all Deployments under deploy/kubernetes.
func workloads(t *testing.T) map[string]node {
	t.Helper()
	files, err := filepath.Glob("../../deploy/kubernetes/*/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob("../../deploy/kubernetes/*/*/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]node{}
	for _, file := range append(files, more...) {
		for _, document := range documents(t, strings.TrimPrefix(file, "../../")) {
			if document["kind"] == "Deployment" {
				all[fmt.Sprint(at(document, "metadata", "name"))] = document
			}
		}
	}
	return all
}

func podProblems(deployment node) (found []string) {
	pod := at(deployment, "spec", "template", "spec")
	container := at(pod, "containers", "0")
	for _, rule := range []struct {
		have, want any
		problem    string
	}{
		{at(pod, "securityContext", "runAsNonRoot"), true, "it may be root"},
		{at(pod, "automountServiceAccountToken"), false, "it can talk to Kubernetes"},
		{at(pod, "securityContext", "seccompProfile", "type"), "RuntimeDefault", "it may make any system call"},
		{at(container, "securityContext", "readOnlyRootFilesystem"), true, "its file system can be written"},
		{at(container, "securityContext", "allowPrivilegeEscalation"), false, "it can get privileges"},
		{at(container, "securityContext", "capabilities", "drop", "0"), "ALL", "it has capabilities"},
		{at(container, "resources", "limits", "memory") != nil, true, "its memory has no limit"},
		{at(container, "readinessProbe") != nil && at(container, "livenessProbe") != nil, true, "nobody asks how it is"},
	} {
		if rule.have != rule.want {
			found = append(found, rule.problem)
		}
	}
	if grace, ok := at(pod, "terminationGracePeriodSeconds").(int); !ok || time.Duration(grace)*time.Second < drain() {
		found = append(found, fmt.Sprintf("it is killed before %s", drain()))
	}
	return found
}

func TestKubernetesIsHardened(t *testing.T) {
	all := workloads(t)
	for _, name := range []string{"worker", "ingress", "archive", "console", "notifier"} {
		if all[name] == nil {
			t.Errorf("there is no Deployment %s", name)
		}
	}
	for name, deployment := range all {
		for _, problem := range podProblems(deployment) {
			t.Errorf("%s: %s", name, problem)
		}
	}
	pod, _ := at(all["worker"], "spec", "template", "spec").(node)
	pod["terminationGracePeriodSeconds"] = 30
	if found := podProblems(all["worker"]); len(found) != 1 {
		t.Errorf("too short a grace period finds %v", found)
	}
	delete(pod, "securityContext")
	if found := podProblems(all["worker"]); len(found) != 3 {
		t.Errorf("no securityContext finds %v", found)
	}
}

// TestProductionHasThreeReplicas: in Compose's profile ha and on Kubernetes.
func TestProductionHasThreeReplicas(t *testing.T) {
	production := documents(t, "deploy/kubernetes/overlays/production/payonce.yaml")[0]
	if at(production, "environment") != "production" || at(production, "nats", "replicas") != 3 || at(production, "nats", "tls", "enabled") != true {
		t.Errorf("production has %v", production["nats"])
	}
}

// TestShippedStreamsAreTheDefaults: deploy/nats/streams is what "payctl streams apply" makes of a file that says
// nothing about streams.
func TestShippedStreamsAreTheDefaults(t *testing.T) {
	files, err := admin.StreamFiles(streamconfig.Of(config.Defaults()))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		if shippedText(t, "deploy/nats/streams/"+name) != string(want) {
			t.Errorf("deploy/nats/streams/%s is not what the default configuration makes:\n%s", name, want)
		}
	}
}

// TestStreamsOfNACK compares the resources with deploy/nats/streams; production has three replicas of each.
func TestStreamsOfNACK(t *testing.T) {
	files, err := filepath.Glob("../../deploy/nats/streams/*.json")
	if err != nil || len(files) != 10 {
		t.Fatal(err, files)
	}
	resources := documents(t, "deploy/kubernetes/overlays/production/streams.yaml")
	if len(resources) != len(files) {
		t.Errorf("%d resources for %d streams", len(resources), len(files))
	}
	for _, resource := range resources {
		name := fmt.Sprint(at(resource, "spec", "name"))
		var want njs.StreamConfig
		if err := json.Unmarshal([]byte(shippedText(t, "deploy/nats/streams/"+strings.ToLower(name)+".json")), &want); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want.Replicas = 3
		text, err := json.Marshal(resource["spec"])
		if err != nil {
			t.Fatal(err)
		}
		var have stream
		strict := json.NewDecoder(bytes.NewReader(text))
		strict.DisallowUnknownFields()
		if err := strict.Decode(&have); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got, expected := fmt.Sprintf("%+v", have), fmt.Sprintf("%+v", streamOf(want)); got != expected {
			t.Errorf("%s is\n%s, want\n%s", name, got, expected)
		}
	}
}

// stream has the fields that we use of the CRD streams.jetstream.nats.io, v1beta2.
type stream struct {
	Name, Description, Retention, Storage, Discard, DuplicateWindow, MaxAge string
	Subjects                                                                []string
	Replicas                                                                int
	MaxMsgSize                                                              int32
	MaxMsgsPerSubject                                                       int64
	MaxBytes                                                                int64
	DenyDelete, DenyPurge, AllowDirect, AllowRollup, AllowMsgSchedules      bool
	DiscardPerSubject, PreventDelete                                        bool
}

func streamOf(c njs.StreamConfig) stream {
	s := stream{
		Name: c.Name, Description: c.Description, Retention: strings.ToLower(c.Retention.String()), Storage: strings.ToLower(c.Storage.String()),
		Discard: "old", DuplicateWindow: c.Duplicates.String(), Subjects: c.Subjects, Replicas: c.Replicas, MaxMsgSize: max(c.MaxMsgSize, 0), MaxMsgsPerSubject: max(c.MaxMsgsPerSubject, 0), MaxBytes: max(c.MaxBytes, 0),
		DenyDelete: c.DenyDelete, DenyPurge: c.DenyPurge, AllowDirect: c.AllowDirect, AllowRollup: c.AllowRollup,
		AllowMsgSchedules: c.AllowMsgSchedules, DiscardPerSubject: c.DiscardNewPerSubject, PreventDelete: true,
	}
	if c.Discard == njs.DiscardNew {
		s.Discard = "new"
	}
	if c.MaxAge > 0 {
		s.MaxAge = strings.TrimSuffix(c.MaxAge.String(), "0m0s")
	}
	return s
}
