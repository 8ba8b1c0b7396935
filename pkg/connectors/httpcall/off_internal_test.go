package httpcall

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"testing"

	"payonce/test/alloctest"
)

func TestARequestCostsNothingMoreWhereNobodyTraces(t *testing.T) {
	to, err := url.Parse("https://provider.example:8443/pay?sign=abc")
	if err != nil {
		t.Fatal(err)
	}
	failed := errors.New("failed")
	alloctest.None(t, func() {
		_, span := startSpan(context.Background(), http.MethodPost, to)
		endSpan(span, http.StatusBadGateway, failed)
	})
}
