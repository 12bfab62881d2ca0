package state

import (
	"encoding/json"
	"fmt"
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
}

// Server is what is known of a server.
type Server struct {
	Hotkey  string             `json:"hotkey"`
	Address string             `json:"address"`
	Average *validator.Average `json:"average"`
	// Codes counts the return codes of its answers, by their numbers.
	Codes map[wire.ReturnCode]int `json:"codes"`
}

// Server finds what is known of a server, or begins with nothing: also where another
// hotkey has taken a uid over.
func (s *State) Server(uid int, hotkey, address string, task validator.Task) *Server {
	known := s.Servers[uid]
	if known == nil || known.Hotkey != hotkey {
		known = &Server{Hotkey: hotkey, Average: validator.NewAverage(task, uid), Codes: make(map[wire.ReturnCode]int)}
		s.Servers[uid] = known
		maps.DeleteFunc(s.Pairs, func(uids [2]int, _ PairSum) bool { return uids[0] == uid || uids[1] == uid })
	}
	known.Address = address
	return known
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
	Repeated bool    `json:"repeated,omitempty"`
	Replies  []Reply `json:"replies"`
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

// Losses are those of all servers, as [validator.Neighbours] takes them.
func (r *Round) Losses() validator.Losses {
	all := make(validator.Losses, len(r.Replies))
	for _, reply := range r.Replies {
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
