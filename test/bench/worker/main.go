// Command worker is cmd/worker, which writes profiles if PAYONCE_BENCH_PROFILE names where: that
// is nothing for a program that holds secrets.
package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"

	"payonce/internal/app"
)

func main() {
	to := os.Getenv("PAYONCE_BENCH_PROFILE")
	if to == "" {
		os.Exit(app.Main(app.Worker(), os.Args[1:], os.Stdout, os.Stderr))
	}
	runtime.MemProfileRate = 32 << 10
	code, err := profiled(to, func() int { return app.Main(app.Worker(), os.Args[1:], os.Stdout, os.Stderr) })
	if err != nil {
		fmt.Fprintln(os.Stderr, "profile:", err)
	}
	os.Exit(code)
}

// profiled runs the program and writes what it spent its time on, and what it allocated.
func profiled(to string, program func() int) (code int, err error) {
	cpu, err := os.Create(to + ".cpu")
	if err != nil {
		return 1, err
	}
	defer func() { _ = cpu.Close() }()
	if err := pprof.StartCPUProfile(cpu); err != nil {
		return 1, err
	}
	code = program()
	pprof.StopCPUProfile()
	allocations, err := os.Create(to + ".allocs")
	if err != nil {
		return code, err
	}
	defer func() { _ = allocations.Close() }()
	return code, pprof.Lookup("allocs").WriteTo(allocations, 0)
}
