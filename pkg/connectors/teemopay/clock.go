package teemopay

import (
	"context"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/httpcall"
)

var _ connectors.Clock = (*Connector)(nil)

// Time returns the time of the gateway, see [connectors.Clock].
func (c *Connector) Time(ctx context.Context) (time.Time, error) {
	return httpcall.Clock(ctx, c.client, c.base)
}
