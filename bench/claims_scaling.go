package bench

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"axon/synapse/validator"
)

// sigmas90 is what a normal variable stays below 95 % of the time.
const sigmas90 = 1.644854

// ScalingResult is what claim d comes to.
type ScalingResult struct {
	Texts    int            `json:"texts"`  // that the losses are means of
	Models   []ScalingModel `json:"models"` // by ascending size
	Law      ScalingLaw     `json:"law"`
	Order    []OrderRight   `json:"order"`
	Pairs    []ScalingPair  `json:"pairs"`
	Apart    []ApartRow     `json:"apart"`
	Findings []Finding      `json:"findings"`

	losses [][]float64 // of each model on each text
}

// ScalingModel is a model with what its loss says of its size.
type ScalingModel struct {
	Model     string   `json:"model"`
	Size      float64  `json:"parameters"`
	Loss      Estimate `json:"loss"`
	Residual  Estimate `json:"residual"`  // loss − that of the fitted law, nats; its error by bootstrap
	Effective float64  `json:"effective"` // parameters, by Kaplan's law
	Interval  Interval `json:"effective_95"`
	OneError  float64  `json:"error_as_a_part"`  // of the effective parameters, that one standard error of the loss is
	PerText   float64  `json:"deviation_a_text"` // of the loss, nats
}

// ScalingLaw is L(N) = (N_c/N)^α, fitted to the models by least squares of logarithms.
type ScalingLaw struct {
	Alpha   float64  `json:"alpha"`
	Alpha95 Interval `json:"alpha_95"`
	Nc      float64  `json:"nc"`
	Nc95    Interval `json:"nc_95"`
}

// OrderRight is how often so many texts put all models in order.
type OrderRight struct {
	Texts int      `json:"texts"`
	Right float64  `json:"right"`
	In95  Interval `json:"right_95"`
}

// ScalingPair are neighbours by size.
type ScalingPair struct {
	Smaller    string   `json:"smaller"`
	Larger     string   `json:"larger"`
	Difference Estimate `json:"difference"`       // of their losses, paired by text
	Deviation  float64  `json:"deviation_a_text"` // of the difference
	Texts      int      `json:"texts_for_95"`     // that tell which is larger with 95 % confidence
}

// ApartRow is how many texts tell two models apart whose sizes have a ratio, by Kaplan's law.
type ApartRow struct {
	Ratio float64 `json:"ratio"`
	Loss  float64 `json:"loss"` // of the smaller one, nats a token
	Gain  float64 `json:"difference"`
	Texts int     `json:"texts"`
}

// scaling measures what losses say of sizes.
func (r *claimsRun) scaling() *ScalingResult {
	r.tell("d: scaling law", 0)
	s := &ScalingResult{}
	order := make([]int, len(r.losses))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(r.net.Info(a).Params, r.net.Info(b).Params) })
	for _, uid := range order {
		s.add(claimsModelName(r.config.Models[uid]), float64(r.net.Info(uid).Params), meansOf(r.losses[uid], r.config.Length-1))
	}
	s.Texts = len(s.losses[0])
	s.fit(r.config)
	s.ranking(r.config)
	s.apart()
	s.Findings = s.findings(r.config)
	return s
}

func (s *ScalingResult) add(name string, size float64, losses []float64) {
	m := ScalingModel{Model: name, Size: size, Loss: newEstimate(losses), PerText: StdDev(losses)}
	m.Effective = validator.EffectiveParams(m.Loss.Mean)
	i := m.Loss.Interval()
	m.Interval = Interval{validator.EffectiveParams(i.High), validator.EffectiveParams(i.Low)}
	m.OneError = m.Loss.Error / m.Loss.Mean / kaplanExponent
	s.Models, s.losses = append(s.Models, m), append(s.losses, losses)
}

// means are the models' losses on some texts; nil are all.
func (s *ScalingResult) means(places []int) []float64 {
	list := make([]float64, len(s.losses))
	for i, l := range s.losses {
		if places != nil {
			l = pick(l, places)
		}
		list[i] = Mean(l)
	}
	return list
}

// law fits ln L = α·ln N_c − α·ln N.
func (s *ScalingResult) law(losses []float64) (alpha, nc float64) {
	x, y := make([]float64, len(losses)), make([]float64, len(losses))
	for i, l := range losses {
		x[i], y[i] = math.Log(s.Models[i].Size), math.Log(l)
	}
	slope, intercept := line(x, y)
	return -slope, math.Exp(-intercept / slope)
}

// fit sets the law, and what the models' losses are beside it.
func (s *ScalingResult) fit(c ClaimsConfig) {
	s.Law.Alpha, s.Law.Nc = s.law(s.means(nil))
	residual := func(i int, losses []float64) float64 {
		alpha, nc := s.law(losses)
		return losses[i] - math.Pow(nc/s.Models[i].Size, alpha)
	}
	var alphas, ncs []float64
	residuals := make([][]float64, len(s.Models))
	bootstrap(c.random(8), s.Texts, c.Effort.Bootstrap, func(places []int) float64 {
		losses := s.means(places)
		alpha, nc := s.law(losses)
		alphas, ncs = append(alphas, alpha), append(ncs, nc)
		for i := range residuals {
			residuals[i] = append(residuals[i], residual(i, losses))
		}
		return 0
	})
	s.Law.Alpha95, s.Law.Nc95 = percentiles(alphas), percentiles(ncs)
	for i := range s.Models {
		s.Models[i].Residual = Estimate{residual(i, s.means(nil)), StdDev(residuals[i])}
	}
}

// ranking draws texts, and looks whether the larger of two models always loses less.
func (s *ScalingResult) ranking(c ClaimsConfig) {
	rnd := c.random(9)
	descending := func(losses []float64) bool {
		return slices.IsSortedFunc(losses, func(a, b float64) int { return cmp.Compare(b, a) })
	}
	for n := 1; n <= s.Texts/2; n *= 2 {
		right := 0
		for range c.Effort.Draws {
			if descending(s.means(rnd.Perm(s.Texts)[:n])) {
				right++
			}
		}
		s.Order = append(s.Order, OrderRight{n, float64(right) / float64(c.Effort.Draws), wilson(right, c.Effort.Draws)})
	}
	for i := range s.Models[1:] {
		d := minus(s.losses[i], s.losses[i+1])
		p := ScalingPair{Smaller: s.Models[i].Model, Larger: s.Models[i+1].Model, Difference: newEstimate(d), Deviation: StdDev(d)}
		p.Texts = textsFor(p.Difference.Mean, p.Deviation)
		s.Pairs = append(s.Pairs, p)
	}
}

// textsFor is how many texts it takes until the mean of a normal difference has its sign with
// 95 % confidence: (1.645·deviation/difference)².
func textsFor(difference, deviation float64) int {
	root := sigmas90 * deviation / difference
	return int(math.Ceil(root * root))
}

// apart carries over to other sizes, by Kaplan's law and with the least deviation that
// neighbours have here.
func (s *ScalingResult) apart() {
	deviation := s.leastDeviation()
	for _, loss := range []float64{s.Models[len(s.Models)-1].Loss.Mean, 2.5, 1.8} {
		for _, ratio := range []float64{1.1, 2, 10} {
			gain := loss * (1 - math.Pow(ratio, -kaplanExponent))
			if loss-gain < validator.EntropyOfText { // what counts of it
				gain = loss - validator.EntropyOfText
			}
			s.Apart = append(s.Apart, ApartRow{ratio, loss, gain, textsFor(gain, deviation)})
		}
	}
}

func (s *ScalingResult) leastDeviation() float64 {
	return slices.MinFunc(s.Pairs, func(a, b ScalingPair) int { return cmp.Compare(a.Deviation, b.Deviation) }).Deviation
}

func (s *ScalingResult) findings(c ClaimsConfig) []Finding {
	return []Finding{s.told(), s.follows(), s.kaplans(), s.sized(c), s.large()}
}

// told is about the order of the models at hand.
func (s *ScalingResult) told() Finding {
	f := Finding{"d1 losses tell which of these models is larger", Undecided, "no number of texts that was tried puts all in order 95 % of the time"}
	for _, o := range s.Order {
		if o.In95.Low >= 0.95 {
			f.Verdict, f.Because = Holds, fmt.Sprintf("%d texts put all in order %.1f %% of the time, %s", o.Texts, 100*o.Right, o.In95.text(3))
			break
		}
	}
	for _, p := range s.Pairs {
		if p.Difference.Interval().High < 0 {
			f.Verdict, f.Because = DoesNotHold, fmt.Sprintf("%s, the larger, loses more than %s, by %s nats", p.Larger, p.Smaller, p.Difference.Interval().text(3))
		}
	}
	return f
}

// follows is about the form of the law.
func (s *ScalingResult) follows() Finding {
	worst := slices.MaxFunc(s.Models, func(a, b ScalingModel) int {
		return cmp.Compare(math.Abs(a.Residual.Mean/a.Residual.Error), math.Abs(b.Residual.Mean/b.Residual.Error))
	})
	i := worst.Residual.Interval()
	f := Finding{"d2 their losses follow a power of the size", Undecided, fmt.Sprintf("%s lies off the fitted law by %s nats", worst.Model, i.text(3))}
	if i.Low > 0 || i.High < 0 {
		f.Verdict = DoesNotHold
	}
	return f
}

// kaplans is about the law's numbers.
func (s *ScalingResult) kaplans() Finding {
	f := Finding{"d3 … with Kaplan's exponent, 0.076", Undecided, fmt.Sprintf("the fitted one is %.3f, %s", s.Law.Alpha, s.Law.Alpha95.text(3))}
	if s.Law.Alpha95.Low > kaplanExponent || s.Law.Alpha95.High < kaplanExponent {
		f.Verdict = DoesNotHold
	}
	return f
}

// sized is about effective parameters as a number of parameters.
func (s *ScalingResult) sized(c ClaimsConfig) Finding {
	var least, most float64 = math.Inf(1), 0
	for i, m := range s.Models {
		part := bootstrap(c.random(10), s.Texts, c.Effort.Bootstrap, func(places []int) float64 {
			return validator.EffectiveParams(Mean(pick(s.losses[i], places))) / m.Size
		})
		least, most = min(least, part.Low), max(most, part.High)
	}
	f := Finding{"d4 effective parameters are the model's", Undecided, fmt.Sprintf("they are %.4f to %.4f of the true ones", least, most)}
	if most < 1 || least > 1 {
		f.Verdict = DoesNotHold
	}
	return f
}

// large says what cannot be known from small models.
func (s *ScalingResult) large() Finding {
	i := slices.IndexFunc(s.Apart, func(a ApartRow) bool { return a.Ratio == 2 && a.Loss == 2.5 })
	return Finding{"d5 they tell large models apart", Undecided, fmt.Sprintf("none here has more than %.1f M parameters; by Kaplan's law twice the size gains %.3f nats of 2.5, "+
		"which takes %d texts if pairs differ by text as the most alike here (%.3f nats), and nothing below %.2f counts",
		s.Models[len(s.Models)-1].Size/1e6, s.Apart[i].Gain, s.Apart[i].Texts, s.leastDeviation(), validator.EntropyOfText)}
}
