package simulation

// Result is what came of one run.
type Result struct {
	Problems []string // broken promises; none when all was well
	Trace    []string // every event, if asked for
	Events   int      // written to the log
}

// Run plays one seed. trace asks for the story. It is safe for concurrent use.
func Run(seed uint64, m Mutant, trace bool) Result {
	w := newWorld(seed, m, trace)
	w.run()
	return Result{Problems: w.problems, Trace: w.trace, Events: int(w.log.seq)}
}
