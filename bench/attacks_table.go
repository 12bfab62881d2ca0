package bench

import (
	"fmt"
	"strconv"
)

// AttackTable shows a row for each attack and task, the rules beside each other.
func AttackTable() Table[AttackRow] {
	t := Table[AttackRow]{columns: []column[AttackRow]{
		{"task", 16, false, func(r AttackRow) string { return r.Task }},
		{"attack", 31, false, func(r AttackRow) string { return r.title() }},
		{"beside honest", 13, false, func(r AttackRow) string { return r.Beside }},
		{"answered", 8, true, func(r AttackRow) string { return fmt.Sprintf("%d/%d", r.Proper.Answered, r.Rounds) }},
	}}
	for _, rule := range []struct {
		name string
		of   func(AttackRow) AttackOutcome
	}{
		{"reference", func(r AttackRow) AttackOutcome { return r.Reference }},
		{"proper", func(r AttackRow) AttackOutcome { return r.Proper }},
	} {
		t.columns = append(t.columns,
			column[AttackRow]{rule.name + ": loss", 15, true, func(r AttackRow) string { return rule.of(r).lossText() }},
			column[AttackRow]{"more than honest", 16, true, func(r AttackRow) string { return rule.of(r).More.text() }},
			column[AttackRow]{"score", 7, true, func(r AttackRow) string { return number(rule.of(r).Score, 0) }},
			column[AttackRow]{"weight / honest's [95 %]", 24, true, func(r AttackRow) string { return rule.of(r).ratioText() }},
			column[AttackRow]{"earns", 5, false, func(r AttackRow) string { return rule.of(r).Verdict }},
		)
		t.fields = append(t.fields, outcomeFields(rule.name, rule.of)...)
	}
	t.fields = append([]field[AttackRow]{
		{"build", func(r AttackRow) string { return r.Build }},
		{"test_time", func(r AttackRow) string { return r.Time }},
		{"task", func(r AttackRow) string { return r.Task }},
		{"attack", func(r AttackRow) string { return r.Attack }},
		{"model", func(r AttackRow) string { return r.Model }},
		{"beside", func(r AttackRow) string { return r.Beside }},
		{"knows", func(r AttackRow) string { return r.Knows }},
		{"repeated", func(r AttackRow) string { return strconv.FormatBool(r.Repeated) }},
		{"rounds", func(r AttackRow) string { return strconv.Itoa(r.Rounds) }},
		{"texts", func(r AttackRow) string { return strconv.Itoa(r.Texts) }},
		{"seed", func(r AttackRow) string { return strconv.FormatUint(r.Seed, 10) }},
	}, t.fields...)
	return t
}

// outcomeFields are those of one rule.
func outcomeFields(rule string, of func(AttackRow) AttackOutcome) []field[AttackRow] {
	float := func(name string, value func(AttackOutcome) float64) field[AttackRow] {
		return field[AttackRow]{rule + "_" + name, func(r AttackRow) string { return number(value(of(r)), 6) }}
	}
	return []field[AttackRow]{
		float("loss", func(o AttackOutcome) float64 { return o.Loss }),
		float("loss_error", func(o AttackOutcome) float64 { return o.LossError }),
		float("more", func(o AttackOutcome) float64 { return o.More.Mean }),
		float("more_error", func(o AttackOutcome) float64 { return o.More.Error }),
		float("score", func(o AttackOutcome) float64 { return o.Score }),
		float("weight", func(o AttackOutcome) float64 { return o.Weight }),
		float("ratio", func(o AttackOutcome) float64 { return o.Ratio }),
		float("ratio_low", func(o AttackOutcome) float64 { return o.Interval[0] }),
		float("ratio_high", func(o AttackOutcome) float64 { return o.Interval[1] }),
		{rule + "_verdict", func(r AttackRow) string { return of(r).Verdict }},
	}
}

// title is the attack's name, or whose honest play it is.
func (r AttackRow) title() string {
	switch {
	case r.About == "":
		return r.Attack + ", " + r.Model
	case r.Repeated:
		return r.Attack + ", texts repeated"
	}
	return r.Attack
}

func (o AttackOutcome) lossText() string {
	if o.Loss == 0 && o.Answered == 0 {
		return "–"
	}
	return fmt.Sprintf("%.3f ± %.3f", o.Loss, o.LossError)
}

func (m AttackMean) text() string {
	if m.Texts == 0 {
		return "–"
	}
	return fmt.Sprintf("%+.4f ± %.4f", m.Mean, m.Error)
}

// ratioText writes large ratios without fractions.
func (o AttackOutcome) ratioText() string {
	digits := 3
	if o.Ratio >= 100 {
		digits = 0
	}
	if o.Ratio == 0 {
		return "0"
	}
	return fmt.Sprintf("%s [%s, %s]", number(o.Ratio, digits), number(o.Interval[0], digits), number(o.Interval[1], digits))
}
