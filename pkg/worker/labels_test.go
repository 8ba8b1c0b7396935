package worker

import (
	"strconv"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// TestLabelsAreKeptAndBounded: what is known is not made again, labels are not mixed up, and a stream of
// made-up providers does not fill the memory.
func TestLabelsAreKeptAndBounded(t *testing.T) {
	var c labelCache
	made := 0
	of := func(name string) string {
		option := c.of(labels{name, "x"}, func() metric.MeasurementOption {
			made++
			return metric.WithAttributes(attribute.String("provider", name))
		})
		set := metric.NewAddConfig([]metric.AddOption{option}).Attributes()
		value, _ := set.Value("provider")
		return value.AsString()
	}
	for range 2 {
		for i := range maxLabels + 10 {
			if name := strconv.Itoa(i); of(name) != name {
				t.Fatalf("the attributes of %s are those of %s", name, of(name))
			}
		}
	}
	if want := maxLabels + 2*10; made != want {
		t.Errorf("%d were made, want %d: each once, and those beyond the bound each time", made, want)
	}
	if n := c.size.Load(); n != maxLabels {
		t.Errorf("%d are kept, want %d", n, maxLabels)
	}
}
