package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"axon/synapse"
	"axon/synapse/auth"
	"axon/synapse/client"
	"axon/synapse/metagraph"
	"axon/synapse/wire"
)

// localEndpoint is where axon serve listens.
const localEndpoint = "127.0.0.1:8091"

func queryServerFlags() []cli.Flag {
	return inCategory("Servers:",
		&cli.StringSliceFlag{Name: "endpoint", Aliases: []string{"e"}, Usage: "`HOST:PORT` of a server, repeatable, and its hotkey where servers have different ones: HOST:PORT@ADDRESS; without it " + localEndpoint},
		&cli.StringFlag{Name: "server-hotkey", Usage: "`ADDRESS` of the servers' hotkey; without it your own, as of a server that you started"},
		&cli.StringFlag{Name: "metagraph", Usage: "CSV `FILE` with uid,hotkey,coldkey,ip,port,stake: ask those who are in it", TakesFile: true},
		&cli.StringFlag{Name: "uid", Usage: "ask only these of the metagraph, as in 3,5-9"},
		&cli.DurationFlag{Name: "timeout", Usage: "how long a server may take; 0: as long as the network gives it for the task"},
		&cli.IntFlag{Name: "concurrency", Usage: "servers to ask at once", Value: 64},
		&cli.BoolFlag{Name: "tls", Usage: "speak TLS with the servers, whose certificates this machine must trust; the network has none"},
		&cli.StringFlag{Name: "tls-ca", Usage: "`FILE` of certificates in PEM to trust instead; it implies --tls", TakesFile: true},
	)
}

// queryTarget is whom to ask, and how.
type queryTarget struct {
	endpoints []client.Endpoint
	current   func() []client.Endpoint // the same, as a metagraph has them by now
	options   client.Options
	own       auth.PublicKey
}

func queryServers(c *cli.Context) (*queryTarget, error) {
	if c.Duration("timeout") < 0 || c.Int("concurrency") < 1 {
		return nil, usageError("--timeout must not be negative, and --concurrency at least 1")
	}
	key, path, err := readHotkey(c)
	if err != nil {
		return nil, err
	}
	if !key.CanSign() {
		return nil, fmt.Errorf("%s holds only the public half of a hotkey, which cannot sign requests; name another with --hotkey", path)
	}
	to := &queryTarget{own: key.Public(), options: client.Options{Key: key, Timeout: c.Duration("timeout"), Concurrency: c.Int("concurrency"), Backoff: -1}}
	if to.options.TLS, err = queryTLS(c); err != nil {
		return nil, err
	}
	if c.String("metagraph") != "" {
		if to.current, err = metagraphEndpoints(c); err == nil {
			to.endpoints = to.current()
		}
		return to, err
	}
	to.endpoints, err = namedEndpoints(c, key.Public())
	to.current = func() []client.Endpoint { return to.endpoints }
	return to, err
}

// hint says what may help where the server was taken for one's own.
func (t *queryTarget) hint(e client.Endpoint, f *synapse.Fault) string {
	if e.Hotkey == t.own && f.Code == wire.ReturnCode_RETURN_CODE_UNAUTHENTICATED {
		return "; if the server's hotkey is not yours, name it with --server-hotkey"
	}
	return ""
}

// namedEndpoints are those of --endpoint.
func namedEndpoints(c *cli.Context, own auth.PublicKey) ([]client.Endpoint, error) {
	if c.String("uid") != "" {
		return nil, usageError("--uid names neurons of a metagraph; name its file with --metagraph")
	}
	addresses := c.StringSlice("endpoint")
	if len(addresses) == 0 {
		addresses = []string{localEndpoint}
	}
	hotkey := own
	if text := c.String("server-hotkey"); text != "" {
		var err error
		if hotkey, err = auth.ParsePublicKey(text); err != nil {
			return nil, usageError("--server-hotkey: %w", err)
		}
	}
	endpoints := make([]client.Endpoint, len(addresses))
	for i, address := range addresses {
		var err error
		if endpoints[i], err = parseEndpoint(address, hotkey); err != nil {
			return nil, usageError("--endpoint: %w", err)
		}
	}
	return endpoints, nil
}

// parseEndpoint reads HOST:PORT or HOST:PORT@ADDRESS.
func parseEndpoint(text string, hotkey auth.PublicKey) (client.Endpoint, error) {
	address, named, ok := strings.Cut(text, "@")
	if ok {
		var err error
		if hotkey, err = auth.ParsePublicKey(named); err != nil {
			return client.Endpoint{}, err
		}
	}
	e := client.Endpoint{UID: noUID, Address: address, Hotkey: hotkey}
	return e, e.Validate()
}

// noUID stands for that of a server that no metagraph has told of.
const noUID = -1

// metagraphEndpoints gives those of --metagraph and --uid, as the file has them at the time.
// That all who are named are in it is checked now.
func metagraphEndpoints(c *cli.Context) (func() []client.Endpoint, error) {
	if len(c.StringSlice("endpoint")) > 0 || c.String("server-hotkey") != "" {
		return nil, usageError("--metagraph says where servers are and which hotkeys they have: leave out --endpoint and --server-hotkey")
	}
	file, err := metagraph.Open(c.String("metagraph"))
	if err != nil {
		return nil, err
	}
	wanted, err := parseUIDs(c.String("uid"))
	if err != nil {
		return nil, err
	}
	list := func() []client.Endpoint { return endpointsOf(file.Neurons(), wanted) }
	endpoints := list()
	for _, r := range wanted {
		if !slices.ContainsFunc(endpoints, func(e client.Endpoint) bool { return r.first <= e.UID && e.UID <= r.last }) {
			return nil, fmt.Errorf("%s has no server of uid %v", c.String("metagraph"), r)
		}
	}
	if len(endpoints) == 0 {
		return nil, fmt.Errorf("%s names no server", c.String("metagraph"))
	}
	return list, nil
}

// endpointsOf are the servers among neurons that are wanted; no ranges want all.
func endpointsOf(neurons []metagraph.Neuron, wanted []uidRange) []client.Endpoint {
	var endpoints []client.Endpoint
	for _, n := range neurons {
		i := slices.IndexFunc(wanted, func(r uidRange) bool { return r.first <= n.UID && n.UID <= r.last })
		if n.Address() == "" || (i < 0 && len(wanted) > 0) {
			continue
		}
		endpoints = append(endpoints, client.Endpoint{UID: n.UID, Address: n.Address(), Hotkey: n.Hotkey})
	}
	return endpoints
}

// uidRange is some uids, first and last included.
type uidRange struct{ first, last int }

func (r uidRange) String() string {
	if r.first == r.last {
		return strconv.Itoa(r.first)
	}
	return fmt.Sprintf("%d-%d", r.first, r.last)
}

// parseUIDs reads a list as in 3,5-9.
func parseUIDs(list string) ([]uidRange, error) {
	var ranges []uidRange
	for _, part := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' }) {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, err := strconv.ParseUint(first, 10, 16)
		to, err2 := strconv.ParseUint(last, 10, 16)
		if err != nil || err2 != nil || from > to {
			return nil, usageError("--uid %q: must be numbers of 0 to 65535, and ranges of them, as in 3,5-9", list)
		}
		ranges = append(ranges, uidRange{int(from), int(to)})
	}
	return ranges, nil
}

// queryTLS is nil where plain text is spoken.
func queryTLS(c *cli.Context) (*tls.Config, error) {
	path := c.String("tls-ca")
	if path == "" {
		if c.Bool("tls") {
			return &tls.Config{MinVersion: tls.VersionTLS12}, nil
		}
		return nil, nil
	}
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("--tls-ca: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("--tls-ca: %s holds no certificate in PEM", path)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}, nil
}
