package httpcall

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// keepUntil bounds how long the kernel goes on to deliver what is written from now on, also while the process
// stands still: TCP_USER_TIMEOUT ends the connection at the deadline of the call.
func keepUntil(c *net.TCPConn, deadline time.Time) error {
	bound := max(time.Until(deadline), time.Millisecond).Milliseconds()
	return control(c, func(fd int) error {
		return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(min(bound, 1<<30)))
	})
}

// pending reports whether bytes, an end or an error wait at the connection.
func pending(c *net.TCPConn) bool {
	waiting := false
	err := control(c, func(fd int) error {
		fds := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN | unix.POLLRDHUP}}
		for {
			n, err := unix.Poll(fds[:], 0)
			if err == unix.EINTR {
				continue
			}
			waiting = n > 0
			return err
		}
	})
	return waiting || err != nil
}

// control runs do with the connection's descriptor; a read or write that is under way goes on meanwhile.
func control(c *net.TCPConn, do func(fd int) error) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var done error
	if err := raw.Control(func(fd uintptr) { done = do(int(fd)) }); err != nil {
		return err
	}
	return done
}
