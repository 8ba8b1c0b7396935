package ingress

import (
	"net/http"
	"time"
)

// A body may take bodyGrace, and one more second for every bodyRate bytes that it is said to have.
const (
	bodyGrace = 5 * time.Second
	bodyRate  = 32 << 10
)

// hurry moves the connection's read deadline forward for a body whose length is known, so that a small one
// is not waited for as long as a large one. The server's ReadTimeout bounds all of them. It is a deadline
// of the operating system, so it is counted by its clock. A connection without deadlines has no slow
// client.
func (s *Server) hurry(w http.ResponseWriter, length int64) {
	if allowed := bodyGrace + time.Duration(length)*time.Second/bodyRate; length >= 0 && length <= MaxWebhookBytes && allowed < s.limits.ReadTimeout {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(allowed))
	}
}

// outlive moves the connection's write deadline behind the time that the request may wait. A connection
// without deadlines has none to outlive. (While a request is worked on, net/http itself sets no read
// deadline.)
func (s *Server) outlive(w http.ResponseWriter, wait time.Duration) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(wait + s.limits.WriteTimeout))
}
