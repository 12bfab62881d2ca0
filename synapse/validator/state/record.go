package state

import (
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"axon/synapse/validator"
	"axon/synapse/wire"
)

// Settings are what the numbers of a state depend on, by name. Rounds of different
// settings do not belong into one average.
type Settings map[string]string

// differences are the names whose values differ, each with both.
func (s Settings) differences(t Settings) []string {
	var list []string
	for name, value := range s {
		if t[name] != value {
			list = append(list, fmt.Sprintf("%s was %q and is %q", name, value, t[name]))
		}
	}
	for name, value := range t {
		if _, ok := s[name]; !ok {
			list = append(list, fmt.Sprintf("%s was not set and is %q", name, value))
		}
	}
	slices.Sort(list)
	return list
}

func (s Settings) check(now Settings) error {
	if list := s.differences(now); len(list) > 0 {
		return fmt.Errorf("%w: %s", ErrSettings, strings.Join(list, ", "))
	}
	return nil
}

// Progress is how far a validator has come.
type Progress struct {
	Rounds   int             `json:"rounds"`   // that were finished
	Texts    int             `json:"texts"`    // that were asked about
	Position json.RawMessage `json:"position"` // in the texts, as these have it
	Present  []int           `json:"present"`  // uids of the network at the latest round, ascending
}

// Server is what is known of a server.
type Server struct {
	Hotkey  string             `json:"hotkey"`
	Address string             `json:"address"`
	Since   int                `json:"since"` // the first round in which this hotkey had the uid
	Average *validator.Average `json:"average"`
	// Codes counts the return codes of its answers, by their numbers.
	Codes map[wire.ReturnCode]int `json:"codes"`
}

// UID is the server's number in the network.
func (s *Server) UID() int { return s.Average.UID }

// Answered is how many rounds it answered.
func (s *Server) Answered() int { return s.Codes[wire.ReturnCode_RETURN_CODE_SUCCESS] }

// Round is one that was finished.
type Round struct {
	Number int       `json:"number"` // 1 is the first
	Began  time.Time `json:"began"`
	Took   float64   `json:"took"` // seconds
	Texts  int       `json:"texts"`
	// Repeated says that all texts were used up before, so that servers may remember these.
	Repeated bool `json:"repeated,omitempty"`
	// Unreadable counts lines of the texts that were passed over.
	Unreadable int     `json:"unreadable,omitempty"`
	Replies    []Reply `json:"replies"`
}

// Reply is one server's part in a round.
type Reply struct {
	UID     int             `json:"uid"`
	Code    wire.ReturnCode `json:"code"`
	Message string          `json:"-"`       // the server's words where it failed
	Seconds float64         `json:"seconds"` // until the answer
	Bytes   int             `json:"bytes"`   // of the answer
	// Losses are those of the round's predictions, in nats; none where there is no loss.
	Losses []float32 `json:"losses,omitempty"`
	// Divergence from the mean of all; nil where it was not measured.
	Divergence *float32 `json:"divergence,omitempty"`
}

// Server finds what is known of a server, or begins with nothing: also where another
// hotkey has taken a uid over, which fresh tells.
func (s *State) Server(uid int, hotkey, address string, task validator.Task) (known *Server, fresh bool) {
	known = s.Servers[uid]
	if fresh = known == nil || known.Hotkey != hotkey; fresh {
		known = &Server{Hotkey: hotkey, Since: s.Progress.Rounds + 1, Average: validator.NewAverage(task, uid), Codes: make(map[wire.ReturnCode]int)}
		s.Servers[uid] = known
		maps.DeleteFunc(s.Pairs, func(uids [2]int, _ PairSum) bool { return uids[0] == uid || uids[1] == uid })
	}
	known.Address = address
	return known, fresh
}

// Replies are those of a round whose servers are still behind their uids.
func (s *State) Replies(r *Round) iter.Seq[*Reply] {
	return func(yield func(*Reply) bool) {
		for i := range r.Replies {
			known := s.Servers[r.Replies[i].UID]
			if known != nil && r.Number >= known.Since && !yield(&r.Replies[i]) {
				return
			}
		}
	}
}

// Losses are those of the round's servers that are still behind their uids, as
// [validator.Rules.Neighbours] takes them.
func (s *State) Losses(r *Round) validator.Losses {
	all := make(validator.Losses, len(r.Replies))
	for reply := range s.Replies(r) {
		if len(reply.Losses) == 0 {
			continue
		}
		list := make([]float64, len(reply.Losses))
		for i, l := range reply.Losses {
			list[i] = float64(l)
		}
		all[reply.UID] = list
	}
	return all
}

// IsPresent says whether a server was in the network when the latest round was asked.
func (s *State) IsPresent(uid int) bool {
	_, found := slices.BinarySearch(s.Progress.Present, uid)
	return found
}

// Pairs are what each two servers lost less together than the better of them, summed up
// over rounds.
type Pairs map[[2]int]PairSum

// PairSum is of one pair, whose uids ascend.
type PairSum struct {
	Sum    float64 `json:"sum"` // nats
	Rounds int     `json:"rounds"`
}

type pairJSON struct {
	First  int `json:"first"`
	Second int `json:"second"`
	PairSum
}

// MarshalJSON writes the pairs in the order of their uids.
func (p Pairs) MarshalJSON() ([]byte, error) {
	list := make([]pairJSON, 0, len(p))
	for uids, sum := range p {
		list = append(list, pairJSON{uids[0], uids[1], sum})
	}
	slices.SortFunc(list, func(a, b pairJSON) int {
		if a.First != b.First {
			return a.First - b.First
		}
		return a.Second - b.Second
	})
	return json.Marshal(list)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (p *Pairs) UnmarshalJSON(data []byte) error {
	var list []pairJSON
	if err := json.Unmarshal(data, &list); err != nil {
		return err
	}
	*p = make(Pairs, len(list))
	for _, pair := range list {
		(*p)[[2]int{pair.First, pair.Second}] = pair.PairSum
	}
	return nil
}
