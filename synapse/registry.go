package synapse

import (
	"fmt"
	"slices"
	"time"

	"axon/synapse/wire"
)

// How long the reference's server takes over a synapse: a block of its chain,
// and three for text that is generated.
const (
	blockTime    = 12 * time.Second
	generateTime = 3 * blockTime
)

// tasks are the registered ones, in the order of their types. A further task is
// a file that declares one, and a line here, or a call of [Register].
var tasks = []*Task{lastHiddenState, causalLM, seq2Seq, causalLMNext, crossEntropy}

// Register adds a task of another package, before anything is served or asked.
// It panics if the type or the name is taken.
func Register(t *Task) {
	_, sameType := TaskOf(t.Type)
	_, sameName := TaskNamed(t.Name)
	if sameType || sameName {
		panic(fmt.Sprintf("synapse: a task %d or %q is registered already", t.Type, t.Name))
	}
	tasks = append(tasks, t)
}

// Tasks are all that are registered.
func Tasks() []*Task { return slices.Clone(tasks) }

// TaskOf finds a task by its type on the wire.
func TaskOf(kind wire.SynapseType) (*Task, bool) {
	return find(func(t *Task) bool { return t.Type == kind })
}

// TaskNamed finds a task by its name.
func TaskNamed(name string) (*Task, bool) {
	return find(func(t *Task) bool { return t.Name == name })
}

func find(is func(*Task) bool) (*Task, bool) {
	if i := slices.IndexFunc(tasks, is); i >= 0 {
		return tasks[i], true
	}
	return nil, false
}
