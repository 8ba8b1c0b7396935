package deploytest

import (
	"encoding/json"
	"fmt"
	"net/url"
	"path"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// mountedAt returns where a service of docker-compose.yml sees a file or folder of the repository.
func mountedAt(t *testing.T, service, source string) string {
	t.Helper()
	volumes, _ := at(composeServices(t, composeFile, 15)[service], "volumes").([]any)
	for _, volume := range volumes {
		text, _ := volume.(string)
		if target, found := strings.CutPrefix(text, "./"+source+":"); found {
			return strings.TrimSuffix(target, ":ro")
		}
	}
	t.Fatalf("%s does not see %s", service, source)
	return ""
}

// TestPrometheusScrapesWhereProgramsListen compares Prometheus's configuration with the services and with the
// addresses that the test environment's configuration gives them.
func TestPrometheusScrapesWhereProgramsListen(t *testing.T) {
	prometheus := documents(t, "deploy/observability/prometheus.yml")[0]
	jobs, _ := at(prometheus, "scrape_configs").([]any)
	scraped := map[string]string{}
	for _, job := range jobs {
		name, _ := at(job, "dns_sd_configs", "0", "names", "0").(string)
		scraped[name] = fmt.Sprintf(":%v", at(job, "dns_sd_configs", "0", "port"))
	}
	if len(scraped) != 5 {
		t.Errorf("%v is scraped", scraped)
	}
	services := composeServices(t, composeFile, 15)
	for _, program := range []string{"worker", "ingress", "archive", "console", "notifier"} {
		if listens := at(documents(t, "deploy/docker/test.yaml")[0], program, "admin_listen"); scraped[program] != listens || services[program] == nil {
			t.Errorf("%s listens at %v and is scraped at %q", program, listens, scraped[program])
		}
	}
	seen := mountedAt(t, "prometheus", "deploy/observability/payonce.rules.yaml")
	config := mountedAt(t, "prometheus", "deploy/observability/prometheus.yml")
	if rule, _ := at(prometheus, "rule_files", "0").(string); path.Join(path.Dir(config), rule) != seen {
		t.Errorf("the rules are at %s, and %s names %s", seen, config, rule)
	}
	if command, _ := at(services["prometheus"], "command", "0").(string); command != "--config.file="+config {
		t.Errorf("it is started with %s", command)
	}
}

// TestGrafanaFindsItsFiles checks the shape of the files that Grafana reads when it starts, and that they fit each
// other. Grafana itself is not run.
func TestGrafanaFindsItsFiles(t *testing.T) {
	const folder = "deploy/observability/grafana/"
	for _, kind := range []string{"datasources", "dashboards"} {
		if seen := mountedAt(t, "grafana", folder+kind); seen != "/etc/grafana/provisioning/"+kind {
			t.Errorf("%s are at %s", kind, seen)
		}
	}
	var sources struct {
		APIVersion  int `yaml:"apiVersion"`
		Datasources []struct {
			Name, UID, Type, Access, URL string
			IsDefault                    bool `yaml:"isDefault"`
			Editable                     bool
		}
	}
	strictly(t, folder+"datasources/payonce.yaml", &sources)
	if sources.APIVersion != 1 || len(sources.Datasources) != 1 {
		t.Fatalf("data sources are %+v", sources)
	}
	source := sources.Datasources[0]
	if source.Type != "prometheus" || source.Access != "proxy" || !source.IsDefault || source.UID == "" {
		t.Errorf("the data source is %+v", source)
	}
	if at := published(t, "prometheus"); source.URL != "http://prometheus:"+at {
		t.Errorf("the data source is at %s, and Prometheus at %s", source.URL, at)
	}
	var dashboards struct {
		APIVersion int `yaml:"apiVersion"`
		Providers  []struct {
			Name, Type     string
			AllowUIUpdates bool `yaml:"allowUiUpdates"`
			Options        struct{ Path string }
		}
	}
	strictly(t, folder+"dashboards/payonce.yaml", &dashboards)
	seen := mountedAt(t, "grafana", "deploy/observability/dashboard.json")
	if len(dashboards.Providers) != 1 || dashboards.APIVersion != 1 || dashboards.Providers[0].Type != "file" || dashboards.Providers[0].Options.Path != path.Dir(seen) {
		t.Errorf("the dashboard is at %s, and looked for at %+v", seen, dashboards)
	}
	checkDashboard(t)
}

// checkDashboard: it asks the data source that is chosen at its top, of which the default one is Prometheus.
func checkDashboard(t *testing.T) {
	t.Helper()
	var dashboard struct {
		UID, Title string
		Templating struct {
			List []struct{ Name, Type, Query string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, "deploy/observability/dashboard.json")), &dashboard); err != nil {
		t.Fatal(err)
	}
	variables := dashboard.Templating.List
	if dashboard.UID != "payonce" || len(variables) != 1 || variables[0].Type != "datasource" || variables[0].Query != "prometheus" {
		t.Errorf("the dashboard is %+v", dashboard)
	}
}

// strictly reads a YAML file of which every key must be known.
func strictly(t *testing.T, file string, into any) {
	t.Helper()
	if err := yaml.Load([]byte(read(t, file)), into, yaml.WithKnownFields(true)); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// published returns the port in the container of the one port that a service offers to this machine.
func published(t *testing.T, service string) string {
	t.Helper()
	port, _ := at(composeServices(t, composeFile, 15)[service], "ports", "0").(string)
	return port[strings.LastIndexByte(port, ':')+1:]
}

// TestTracesGoWhereJaegerListens compares the profile's environment with Jaeger's configuration and its ports.
func TestTracesGoWhereJaegerListens(t *testing.T) {
	_, after, _ := strings.Cut(read(t, "deploy/docker/observability.env"), "\nOTEL_EXPORTER_OTLP_TRACES_ENDPOINT=")
	to, err := url.Parse(strings.TrimSpace(after))
	if err != nil || to.Hostname() != "jaeger" || to.Path != "/v1/traces" {
		t.Errorf("traces go to %q: %v", after, err)
	}
	jaeger := documents(t, "deploy/observability/jaeger.yaml")[0]
	if endpoint := at(jaeger, "receivers", "otlp", "protocols", "http", "endpoint"); endpoint != "0.0.0.0:"+to.Port() {
		t.Errorf("traces go to %s, and are taken at %v", to, endpoint)
	}
	if endpoint := at(jaeger, "extensions", "jaeger_query", "http", "endpoint"); endpoint != "0.0.0.0:"+published(t, "jaeger") {
		t.Errorf("it shows traces at %v, and offers %s", endpoint, published(t, "jaeger"))
	}
	service := composeServices(t, composeFile, 15)["jaeger"]
	test, _ := at(service, "healthcheck", "test", "5").(string)
	if endpoint := at(jaeger, "extensions", "healthcheckv2", "http", "endpoint"); test != fmt.Sprintf("http://%v/status", endpoint) {
		t.Errorf("its health is asked at %q, and told at %v", test, endpoint)
	}
	if config, _ := at(service, "command", "1").(string); config != mountedAt(t, "jaeger", "deploy/observability/jaeger.yaml") {
		t.Errorf("it is started with %s", config)
	}
	store := at(jaeger, "extensions", "jaeger_query", "storage", "traces")
	if name, _ := store.(string); at(jaeger, "exporters", "jaeger_storage_exporter", "trace_storage") != store ||
		at(jaeger, "extensions", "jaeger_storage", "backends", name, "memory", "max_traces") == nil {
		t.Errorf("traces are written and read in different places, or without a limit: %v", store)
	}
}
