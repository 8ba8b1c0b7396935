package redis

import (
	"crypto/tls"
	"errors"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"payonce/pkg/secret"
)

// Timeouts of a client where its Config has none. They are short: a worker whose Redis hangs goes on
// with the log.
const (
	DefaultDialTimeout  = 2 * time.Second
	DefaultReadTimeout  = time.Second
	DefaultWriteTimeout = time.Second
)

// retries of a request whose connection broke. One covers a connection that the server closed; what
// lasts longer is the caller's to wait for.
const retries = 1

// Config says which Redis to use.
type Config struct {
	// Addresses, host:port: one node, or several of a Cluster, or the Sentinels when MasterName is set.
	Addresses []string
	// MasterName is the name that the Sentinels know the master by; empty without Sentinel.
	MasterName string
	// Cluster says that a single address is one of a Cluster. Several addresses without a MasterName
	// always are.
	Cluster bool

	Username         string
	Password         secret.Value
	SentinelUsername string
	SentinelPassword secret.Value
	// Database number; always 0 in a Cluster.
	Database int
	// TLS is nil for a connection in the clear.
	TLS *tls.Config

	DialTimeout  time.Duration // 0 takes DefaultDialTimeout
	ReadTimeout  time.Duration // 0 takes DefaultReadTimeout
	WriteTimeout time.Duration // 0 takes DefaultWriteTimeout
}

// Validate reports all problems of a configuration at once.
func (c Config) Validate() error {
	var errs []error
	if len(c.Addresses) == 0 {
		errs = append(errs, errors.New("redis: no address"))
	}
	for _, address := range c.Addresses {
		if address == "" {
			errs = append(errs, errors.New("redis: an address is empty"))
		}
	}
	if c.Cluster && c.MasterName != "" {
		errs = append(errs, errors.New("redis: a master name belongs to Sentinel, not to a Cluster"))
	}
	if c.Database < 0 || c.Database > 0 && c.isCluster() {
		errs = append(errs, errors.New("redis: the database must be 0 in a Cluster and never negative"))
	}
	if min(c.DialTimeout, c.ReadTimeout, c.WriteTimeout) < 0 {
		errs = append(errs, errors.New("redis: a timeout is negative"))
	}
	return errors.Join(errs...)
}

func (c Config) isCluster() bool {
	return c.Cluster || c.MasterName == "" && len(c.Addresses) > 1
}

// NewClient returns a client for [New]. It connects when it is first used; the caller closes it. An
// error is a configuration that does not validate.
//
// A request respects the deadline of its context, and is sent a second time when its connection breaks.
func NewClient(c Config) (goredis.UniversalClient, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return goredis.NewUniversalClient(&goredis.UniversalOptions{
		Addrs:                 c.Addresses,
		MasterName:            c.MasterName,
		IsClusterMode:         c.isCluster(),
		Username:              c.Username,
		Password:              c.Password.Reveal(),
		SentinelUsername:      c.SentinelUsername,
		SentinelPassword:      c.SentinelPassword.Reveal(),
		DB:                    c.Database,
		TLSConfig:             c.TLS,
		DialTimeout:           or(c.DialTimeout, DefaultDialTimeout),
		ReadTimeout:           or(c.ReadTimeout, DefaultReadTimeout),
		WriteTimeout:          or(c.WriteTimeout, DefaultWriteTimeout),
		MaxRetries:            retries,
		DialerRetries:         1, // a request that is tried again dials again; five dials each would be ten
		ContextTimeoutEnabled: true,
		// RESP3 looks for messages of the server before and after each request; we have asked for none.
		Protocol: 2,
		// Managed Redis Enterprise only; elsewhere one refused command for each connection.
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		// CLIENT SETINFO is refused by servers before Redis 7.2 and to the user of deploy/redis, once for each connection.
		DisableIdentity: true,
	}), nil
}

func or(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}
