package limits

import (
	"context"
	"testing"
	"time"

	"github.com/sony/gobreaker/v2"

	"payonce/test/alloctest"
)

func TestCountingCostsNothingWhereNobodyMeasures(t *testing.T) {
	i, err := newInstruments()
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	alloctest.None(t, func() {
		i.breakerIs(ctx, "acme-kr", gobreaker.StateOpen)
		i.refusedCall(ctx, "acme-kr")
		i.reserved(ctx, "acme-kr", time.Second, true, false)
	})
}
