package simulation

import "payonce/pkg/payment"

// Result is what came of one run.
type Result struct {
	Problems []string               // broken promises; none when all was well
	Trace    []string               // every event, if asked for
	Events   int                    // written to the log
	Ends     map[payment.Status]int // how many orders ended in a status; empty for those that are not in the log
	Faults   []int                  // how often each fault happened
}

// Run plays one seed. trace asks for the scenario. It is safe for concurrent use.
func Run(seed uint64, m Mutant, trace bool) Result {
	w := newWorld(seed, m, trace)
	w.run()
	r := Result{Problems: w.problems, Trace: w.trace, Events: int(w.log.seq), Ends: map[payment.Status]int{}, Faults: w.happened[:]}
	for _, o := range w.orders {
		p, _, _ := w.log.read(o.ref, 0)
		r.Ends[p.Status]++
	}
	return r
}
