package app

import (
	"errors"
	"os"
	"strconv"
	"syscall"
)

// background is the nice value of a program that payments do not wait for.
const background = 10

// yieldProcessor lowers the priority of this process below that of other programs of the machine. On Linux each thread has a
// priority of its own, which threads that it creates later inherit: it goes on until it finds all of them lowered, because one
// that was not lowered yet can create another meanwhile.
func yieldProcessor() error {
	for lowered := 1; lowered > 0; {
		threads, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return err
		}
		lowered = 0
		for _, thread := range threads {
			switch changed, err := lower(thread.Name()); {
			case errors.Is(err, syscall.ESRCH): // the thread has ended meanwhile
			case err != nil:
				return err
			case changed:
				lowered++
			}
		}
	}
	return nil
}

// lower lowers the priority of a thread, unless it is as low already.
func lower(thread string) (changed bool, err error) {
	id, err := strconv.Atoi(thread)
	if err != nil {
		return false, err
	}
	priority, err := syscall.Getpriority(syscall.PRIO_PROCESS, id) // the kernel says 20 less the nice value
	if err != nil || 20-priority >= background {
		return false, err
	}
	return true, syscall.Setpriority(syscall.PRIO_PROCESS, id, background)
}
