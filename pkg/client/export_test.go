package client

import "github.com/cenkalti/backoff/v4"

// Pause lets tests say how long a client pauses between two tries.
func (c *Client) Pause(pauses func() backoff.BackOff) { c.pauses = pauses }
