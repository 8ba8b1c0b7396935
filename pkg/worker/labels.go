package worker

import (
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/metric"
)

// labels are the values of a measurement's attributes, in the order of their names.
type labels [4]string

// labelCache keeps the attributes of measurements that are made for every payment: to sort and hash them
// again took a twentieth of a worker's time. The zero value is empty. It is safe for concurrent use.
type labelCache struct {
	known sync.Map // labels → metric.MeasurementOption
	size  atomic.Int64
}

// maxLabels bounds the cache, whatever becomes a label one day.
const maxLabels = 1000

// of returns the attributes of the labels, which are made where they are not known.
func (c *labelCache) of(l labels, make func() metric.MeasurementOption) metric.MeasurementOption {
	if known, ok := c.known.Load(l); ok {
		return known.(metric.MeasurementOption)
	}
	option := make()
	if c.size.Load() < maxLabels {
		if _, known := c.known.LoadOrStore(l, option); !known {
			c.size.Add(1)
		}
	}
	return option
}
