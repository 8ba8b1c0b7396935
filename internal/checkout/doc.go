// Package checkout holds a test of customers who leave ECommPay's Payment Page: the real engine, timers and connector on a
// real nats-server, and the provider's simulator behind a real HTTP server. Only the clock is the test's, because
// what is asked about takes days.
package checkout
