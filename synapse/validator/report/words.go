package report

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// How much is shown of what strangers call themselves, in characters.
const (
	longestInPictures = 20
	longestInTables   = 60
	longestInFiles    = 500
)

// clean makes a line of a stranger's words: nothing invisible that could change the order
// of what follows or end the line, and no more than so many characters.
func clean(s string, most int) string {
	var b strings.Builder
	n := 0
	for _, r := range s {
		switch {
		case n == most:
			return strings.TrimSpace(b.String()) + "…"
		case unicode.IsSpace(r):
			r = ' '
		case r == utf8.RuneError || !unicode.IsPrint(r):
			r = '\uFFFD'
		}
		b.WriteRune(r)
		n++
	}
	return strings.TrimSpace(b.String())
}

// label names a server in a picture. The uid comes first: a name may be anybody's.
func (s *Server) label() string {
	return strings.TrimSpace("#" + strconv.Itoa(s.UID) + " " + clean(s.Name, longestInPictures))
}

// labels are those of all servers by uid.
func (d *Data) labels() map[int]string {
	byUID := make(map[int]string, len(d.Servers))
	for i := range d.Servers {
		byUID[d.Servers[i].UID] = d.Servers[i].label()
	}
	return byUID
}
