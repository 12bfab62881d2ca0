package translate

// plan says what the rows of a model are used for in a text's standard rows.
type plan struct {
	jobs []job
	uses [][]use // of each of the server's rows
	of   []int   // the job that makes a standard row, −1 where none does
}

// job makes the standard rows of one segment: several of one row of the server,
// or one of several.
type job struct {
	first, count int // standard rows
	rows         int // of the server
}

// use is what a job does with a row.
type use struct {
	job, turn int     // the row's turn among the job's
	part      *extent // of the tokens' texts, where the row had to be split
	table     step    // for the part
}

// newPlan aligns a text's tokens. Neither list of spans may be empty.
func newPlan(standardRows int, server, standard []span) plan {
	p := plan{uses: make([][]use, len(server)), of: make([]int, standardRows)}
	for i := range p.of {
		p.of[i] = -1
	}
	list := cuts(server, standard)
	rows := alignedRows(len(server), list)
	found, _ := segments(aligned(server, list), standard)
	for _, s := range found[1:] { // nothing is known about what the text begins with
		switch {
		case s.count == 1:
			n := s.standardCount + s.standardOverlap
			p.add(s.standardRight-n, n, rows[s.right-1:s.right])
		case s.standardCount == 1:
			p.add(s.standardRight-1, 1, rows[s.right-s.count-s.overlap:s.right])
		}
	}
	return p
}

// alignedRow is a row of the server, or what is left of one that was split.
type alignedRow struct {
	row  int
	part *extent
}

func alignedRows(n int, list []cut) (rows []alignedRow) {
	for i := range n {
		if len(list) == 0 || list[0].token != i {
			rows = append(rows, alignedRow{row: i})
			continue
		}
		for _, e := range extents(list[0].depths) {
			rows = append(rows, alignedRow{i, &e})
		}
		list = list[1:]
	}
	return rows
}

// add adds a job. Standard rows beyond the end are those of a text that was
// tokenised to more tokens than were given.
func (p *plan) add(first, count int, rows []alignedRow) {
	count = min(count, len(p.of)-first)
	if count < 1 {
		return
	}
	for i := range count {
		p.of[first+i] = len(p.jobs)
	}
	for turn, r := range rows {
		p.uses[r.row] = append(p.uses[r.row], use{job: len(p.jobs), turn: turn, part: r.part})
	}
	p.jobs = append(p.jobs, job{first, count, len(rows)})
}

// load finds the tables of the parts.
func (p *plan) load(tables *parts) (err error) {
	for _, uses := range p.uses {
		for i := range uses {
			if u := &uses[i]; u.part != nil {
				if u.table, err = tables.table(*u.part); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
