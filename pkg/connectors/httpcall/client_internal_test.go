package httpcall

import "testing"

// A worker with 1,024 calls in flight has as many connections.
func TestConnectionsHaveSmallBuffers(t *testing.T) {
	both, ok := provable(NewClient(Options{}))
	if !ok {
		t.Fatal("not our transport")
	}
	for name, size := range map[string]int{
		"read": both.ReadBufferSize, "write": both.WriteBufferSize, "read, single": both.single.ReadBufferSize, "write, single": both.single.WriteBufferSize,
	} {
		if size != 2<<10 {
			t.Errorf("%s: %d bytes", name, size)
		}
	}
}
