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
// priority of its own, which threads that it creates later inherit.
func yieldProcessor() error {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, thread := range threads {
		id, err := strconv.Atoi(thread.Name())
		if err == nil {
			err = syscall.Setpriority(syscall.PRIO_PROCESS, id, background)
		}
		if err != nil && !errors.Is(err, syscall.ESRCH) { // it has ended meanwhile
			return err
		}
	}
	return nil
}
