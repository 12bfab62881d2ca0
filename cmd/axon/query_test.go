package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"axon/synapse/auth"
	"axon/synapse/wire"
)

// lines are what was printed, without the first, which has times in it.
func lines(o outcome) []string {
	_, rest, _ := strings.Cut(strings.TrimRight(o.stdout, "\n"), "\n")
	return strings.Split(rest, "\n")
}

func TestQueryNext(t *testing.T) {
	o := newQueryWorld(t).query(t, "next --top-k 5 --show 2", "Hello world")
	require.Zero(t, o.code, o.stderr)
	require.Empty(t, o.stderr)
	require.Equal(t, []string{
		``,
		`"Hello world"`,
		`  PROBABILITY  PHRASE     TOKENS`,
		`  0.500000     " theale"  262,1000`,
		`  0.250000     " the Se"  262,1001`,
		`1e-05 is the mean probability of each token of the server's that is not among the 5`,
	}, lines(o))
	require.Regexp(t, `^127\.0\.0\.1:\d+: .*s, \d+ B sent, \d+ B received\n`, o.stdout)
}

func TestQueryCausalLM(t *testing.T) {
	o := newQueryWorld(t).query(t, "causallm --top-k 3 --show 1", "Hello world again")
	require.Zero(t, o.code, o.stderr)
	require.Equal(t, []string{
		``,
		`"Hello world again"`,
		`  POSITION  TOKEN     LOG-PROBABILITY  FOLLOWED BY`,
		`  0         "Hello"   -                " world" 0.5000`,
		`  1         " world"  -0.6931          " again" 0.5000`,
		`  2         " again"  -0.6931          " again" 0.5000`,
		`cross-entropy of 2 tokens 0.6931 nats/token, 0.1667 bits/byte; 0 are not among the 3 likeliest`,
	}, lines(o))
}

func TestQueryScore(t *testing.T) {
	o := newQueryWorld(t).query(t, "score", "Hello world again")
	require.Zero(t, o.code, o.stderr)
	require.Equal(t, []string{
		``,
		`"Hello world again"`,
		`  POSITION  TOKEN     LOG-PROBABILITY`,
		`  0         "Hello"   -`,
		`  1         " world"  -1.0000`,
		`  2         " again"  -2.0000`,
		`2 tokens (12 bytes), 3.0000 nats in all`,
		`cross-entropy 1.5000 nats/token, 0.3607 bits/byte, perplexity 4.4817`,
	}, lines(o))
}

func TestQueryLastHidden(t *testing.T) {
	w := newQueryWorld(t)
	o := w.query(t, "lasthidden --show 2", "Hello world")
	require.Zero(t, o.code, o.stderr)
	require.Equal(t, []string{
		``,
		`"Hello world"`,
		`  POSITION  TOKEN     LENGTH  NUMBERS`,
		`  0         "Hello"   5.0000    3.0000   4.0000 …`,
		`  1         " world"  5.0249    3.0000   4.0000 …`,
		`[2, 1024] numbers, of which 4 in the middle of each position are the model's`,
	}, lines(o))
	o = w.query(t, "lasthidden --positions -1", "Hello world")
	require.Zero(t, o.code, o.stderr)
	require.Contains(t, o.stdout, `0         "Hello"   not asked for`)
}

func TestQuerySeq2Seq(t *testing.T) {
	w := newQueryWorld(t)
	o := w.query(t, "seq2seq --sequences 2 -n 3", "Hello")
	require.Zero(t, o.code, o.stderr)
	require.Equal(t, []string{``, `"Hello"`, `sequence 1:`, `  Hello the`, `   test`, `sequence 2:`, `  Helloer`, `   test`}, lines(o))
	o = w.query(t, "seq2seq --num-to-generate 2", "Hello")
	require.Equal(t, []string{``, `"Hello"`, `  Hello the`}, lines(o))
}

// objects reads one JSON object a line.
func objects(t *testing.T, o outcome) []map[string]any {
	t.Helper()
	var all []map[string]any
	for _, line := range strings.Split(strings.TrimSpace(o.stdout), "\n") {
		var object map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &object), line)
		all = append(all, object)
	}
	return all
}

func TestQueryJSON(t *testing.T) {
	w := newQueryWorld(t)
	for line, want := range map[string]string{
		"next --top-k 1":     `{"text":"Hi","tokens":[17250],"phrases":[{"probability":0.5,"text":" theale","tokens":[262,1000]}],"floor":0.00001}`,
		"causallm --top-k 1": `{"text":"Hi","positions":[{"token":17250,"text":"Hi","log_probability":null,"next":[{"probability":0.5,"token":17250,"text":"Hi"}],"rest":0.5}],"tokens_scored":0,"tokens_outside_top_k":0,"nats_per_token":null,"bits_per_byte":null}`,
		"seq2seq -n 1":       `{"text":"Hi","tokens":[17250],"sequences":[{"text":"Hi the","tokens":[17250,262]}]}`,
	} {
		o := w.query(t, line+" --format json", "Hi")
		require.Zero(t, o.code, o.stderr)
		object := objects(t, o)[0]
		require.Equal(t, "Success", object["code"])
		require.Equal(t, w.address, object["endpoint"])
		require.Equal(t, w.hotkey.Address(), object["hotkey"])
		require.NotContains(t, object, "uid")
		text, err := json.Marshal(object["texts"].([]any)[0])
		require.NoError(t, err)
		require.JSONEq(t, want, string(text))
	}
	all := objects(t, w.query(t, "causallm --top-k 9 --show 1 --format json", "Hi"))[0]["texts"].([]any)[0].(map[string]any)
	require.Len(t, all["positions"].([]any)[0].(map[string]any)["next"], 9, "--show is for tables")
	score := objects(t, w.query(t, "score --format json", "Hello world"))[0]["texts"].([]any)[0].(map[string]any)
	require.Equal(t, []any{-1.0}, score["log_probabilities"])
	hidden := objects(t, w.query(t, "lasthidden --format json", "Hello world"))[0]["texts"].([]any)[0].(map[string]any)
	require.Len(t, hidden["states"].([]any)[0], 1024)
	require.Equal(t, 4.0, hidden["width"])
}

func TestQueryWritesTensors(t *testing.T) {
	w := newQueryWorld(t)
	path := filepath.Join(t.TempDir(), "answer.npy")
	o := w.query(t, "score -o "+path, "Hello world again")
	require.Zero(t, o.code, o.stderr)
	require.Equal(t, path+": <f4 of shape [1 2], 8 B\n", o.stdout)
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.True(t, bytes.HasPrefix(b, []byte("\x93NUMPY\x01\x00")))
	require.True(t, bytes.HasSuffix(b, []byte{0, 0, 0x80, 0xbf, 0, 0, 0, 0xc0}), "-1 and -2")

	o = w.query(t, "score -o "+path, "Hello")
	require.NotZero(t, o.code)
	o = w.query(t, "score -o "+path, "Hello world")
	require.Equal(t, 1, o.code)
	require.Contains(t, o.stderr, "--force")
	require.Zero(t, w.query(t, "score --force -o "+path, "Hello world").code)
	o = w.query(t, "score -o "+path+".2", "--text", "Hello world", "--text", "Hello")
	require.Equal(t, 2, o.code)
	require.NoFileExists(t, path+".2")
}

func TestQueryInputs(t *testing.T) {
	w := newQueryWorld(t)
	path := filepath.Join(t.TempDir(), "text")
	require.NoError(t, os.WriteFile(path, []byte("Hello, world\n"), 0o644))
	for _, args := range [][]string{{"Hello,", "world"}, {"--text", "Hello, world"}, {"--file", path}, {"--tokens", "15496,11 995"}, {"--tokens", "[15496, 11, 995]"}} {
		o := w.query(t, "score", args...)
		require.Zero(t, o.code, o.stderr)
		require.Equal(t, `"Hello, world"`, lines(o)[1], "%q", args)
	}
}

func TestTextsOfEqualLengthTravelTogether(t *testing.T) {
	w := newQueryWorld(t)
	o := w.query(t, "score --format json", "--text", "one two", "--text", "three four", "--tokens", "1,2")
	require.Zero(t, o.code, o.stderr)
	require.Len(t, objects(t, o), 1)
	require.Len(t, objects(t, o)[0]["texts"], 3)
	o = w.query(t, "score --format json", "--text", "one two", "--text", "one two three", "--text", "a b")
	require.Zero(t, o.code, o.stderr)
	require.Len(t, objects(t, o), 3)
	require.EqualValues(t, 6, w.texts.Load())
}

func TestQueryMetagraph(t *testing.T) {
	w := newQueryWorld(t)
	_, port, err := net.SplitHostPort(w.address)
	require.NoError(t, err)
	other, err := auth.NewKey()
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "neurons.csv")
	csv := fmt.Sprintf("uid,hotkey,coldkey,ip,port,stake\n3,%s,,127.0.0.1,%s,1\n4,%s,,,,1\n", w.hotkey.Address(), port, other.Public().Address())
	require.NoError(t, os.WriteFile(path, []byte(csv), 0o644))

	o := w.ask(t, "score --format json --metagraph "+path, "Hello world")
	require.Zero(t, o.code, o.stderr)
	require.Equal(t, 3.0, objects(t, o)[0]["uid"])
	o = w.ask(t, "score --uid 0-2,3 --metagraph "+path, "Hello world")
	require.Equal(t, 1, o.code)
	require.Contains(t, o.stderr, "no server of uid 0-2")
	o = w.ask(t, "score --uid 3 --metagraph "+path, "Hello world")
	require.Zero(t, o.code, o.stderr)
	require.Contains(t, o.stdout, "(uid 3): ")
}

func TestServersThatDoNotAnswer(t *testing.T) {
	w := newQueryWorld(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	dead := l.Addr().String()
	require.NoError(t, l.Close())

	o := w.ask(t, "score --endpoint "+dead, "Hello world")
	require.Equal(t, 1, o.code)
	require.Empty(t, o.stdout)
	requireOneLine(t, o)
	require.Contains(t, o.stderr, "axon: "+dead+": Unavailable: connection error")

	o = w.query(t, "score --format json --endpoint "+dead, "Hello world")
	require.Equal(t, 1, o.code, "one of two")
	requireOneLine(t, o)
	codes := map[any]any{}
	for _, object := range objects(t, o) {
		codes[object["endpoint"]] = object["code"]
	}
	require.Equal(t, map[any]any{dead: "Unavailable", w.address: "Success"}, codes)
}

func TestHotkeysOfServers(t *testing.T) {
	w := newQueryWorld(t)
	stranger := &queryWorld{address: w.address, wallets: t.TempDir()}
	o := stranger.query(t, "score", "Hello world")
	require.Equal(t, 1, o.code)
	require.Contains(t, o.stderr, "axon wallet new")

	newQueryKey(t, stranger.wallets)
	o = stranger.query(t, "score", "Hello world")
	require.Equal(t, 1, o.code)
	requireOneLine(t, o)
	require.Contains(t, o.stderr, "Unauthenticated: Signature mismatch; if the server's hotkey is not yours")
	for _, named := range []string{"--endpoint " + w.address + "@" + w.hotkey.Address(), "--endpoint " + w.address + " --server-hotkey " + w.hotkey.Address()} {
		require.Zero(t, stranger.ask(t, "score "+named, "Hello world").code)
	}
}

func TestPackedAnswers(t *testing.T) {
	w := newQueryWorld(t)
	plain := w.query(t, "causallm --top-k 64 --format json", "Hello world")
	packed := w.query(t, "causallm --top-k 64 --packed --format json", "Hello world")
	require.Zero(t, packed.code, packed.stderr)
	require.Empty(t, packed.stderr)
	one, other := objects(t, plain)[0], objects(t, packed)[0]
	require.Less(t, other["bytes_in"], one["bytes_in"].(float64)/2)
	logOf := func(o map[string]any) float64 {
		return o["texts"].([]any)[0].(map[string]any)["nats_per_token"].(float64)
	}
	require.InDelta(t, logOf(one), logOf(other), 0.05)
}

func TestServersThatDoNotPack(t *testing.T) {
	w := newQueryWorld(t)
	old := startOldServer(t, w)
	o := w.ask(t, "causallm --top-k 4 --packed --endpoint "+old, "Hello world")
	require.Zero(t, o.code, o.stderr)
	require.Equal(t, "axon: "+old+": does not know the packed form; asked again without it\n", o.stderr)
	require.Contains(t, o.stdout, "cross-entropy of 1 tokens")
}

func TestAnInterruptedQuery(t *testing.T) {
	w := newQueryWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o := runAxonContext(ctx, "query", "score", "--wallets", w.wallets, "--endpoint", w.address, "Hello world")
	require.Equal(t, exitInterrupted, o.code)
	require.Empty(t, o.stdout)
}

func TestNamesOfReturnCodes(t *testing.T) {
	for code, name := range map[int32]string{1: "Success", 2: "Timeout", 5: "NotImplemented", 15: "ResponseDeserializationException", 18: "NucleusFull", 77: "ReturnCode77"} {
		require.Equal(t, name, codeName(wire.ReturnCode(code)))
	}
}

func TestNumbersThatJSONCannotHold(t *testing.T) {
	b, err := json.Marshal([]number{0.1, number(math.NaN()), number(math.Inf(-1))})
	require.NoError(t, err)
	require.Equal(t, "[0.1,null,null]", string(b))
}

func TestTamed(t *testing.T) {
	require.Equal(t, `a    b\u001b[31m`+"\uFFFD"+"é", tamed("a\tb\x1b[31m\xffé"))
}

func TestBadQueries(t *testing.T) {
	wallets := t.TempDir()
	newQueryKey(t, wallets)
	public := filepath.Join(t.TempDir(), "public")
	require.NoError(t, os.WriteFile(public, []byte("0x"+strings.Repeat("46", 32)), 0o600))
	for _, c := range []struct {
		line  string
		code  int
		words string
	}{
		{"nonsense", 2, "no command"},
		{"next --nonsense x", 2, "--help lists"},
		{"next --format yaml x", 2, "table or json"},
		{"next --show -1 x", 2, "negative"},
		{"next --top-k 0 x", 2, "topk 0"},
		{"next --top-k -1 x", 2, "topk -1"},
		{"next --text x y", 2, "not both"},
		{"next --text x --file FILE", 2, "not both"},
		{"next --tokens 50257", 2, "0 to 50256"},
		{"next --tokens 1,x", 2, `"x" is not a standard token`},
		{"next --tokens ,", 2, "empty"},
		{"next --endpoint nowhere x", 2, "host:port"},
		{"next --endpoint 127.0.0.1:0 x", 2, "1 to 65535"},
		{"next --endpoint 127.0.0.1:1@5F x", 2, "--endpoint"},
		{"next --server-hotkey 5F x", 2, "--server-hotkey"},
		{"next --uid 3 x", 2, "--metagraph"},
		{"next --metagraph FILE --uid 9-3 x", 2, "3,5-9"},
		{"next --metagraph FILE --endpoint 127.0.0.1:1 x", 2, "leave out"},
		{"next --metagraph DIR/missing x", 1, "no such file"},
		{"next --metagraph FILE x", 1, "names no server"},
		{"next --timeout -1s x", 2, "negative"},
		{"next --timeout soon x", 2, "--help lists"},
		{"next --concurrency 0 x", 2, "at least 1"},
		{"next --tls-ca DIR/missing x", 1, "no such file"},
		{"next --tls-ca FILE x", 1, "no certificate"},
		{"next --key-file PUBLIC x", 1, "public half"},
		{"next --wallet ../x x", 2, "no name of a wallet"},
		{"next -o DIR x", 1, "not a regular file"},
		{"next -o DIR/missing/x x", 1, "no folder"},
		{"causallm --top-k 50258 x", 2, "topk 50258"},
		{"score x", 2, "2 are the least"},
		{"lasthidden --positions x x", 2, "0,5,-1"},
		{"lasthidden --positions 7 x", 2, "Mask element 7"},
		{"seq2seq --n-predict 0 x", 2, "--n-predict"},
		{"seq2seq --temp 0 x", 2, "temperature"},
		{"seq2seq --sequences 3 --beams 2 x", 2, "3 sequences exceed the 2 beams"},
		{"seq2seq --beams 3 --beam-groups 2 x", 2, "groups"},
	} {
		t.Run(c.line, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(t.TempDir(), "neurons.csv")
			require.NoError(t, os.WriteFile(file, []byte("uid,hotkey,coldkey,ip,port,stake\n"), 0o644))
			line := strings.NewReplacer("FILE", file, "DIR", dir, "PUBLIC", public).Replace(c.line)
			args := append([]string{"query"}, strings.Fields(line)...)
			if args[1] != "nonsense" {
				args = append(args, "--wallets", wallets)
			}
			o := runAxon(t, args...)
			require.Equal(t, c.code, o.code, o.stderr)
			requireOneLine(t, o)
			require.Contains(t, o.stderr, c.words)
			emptyDir(t, dir)
		})
	}
}
