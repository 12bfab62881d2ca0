package main

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/urfave/cli/v2"

	"axon/synapse"
	"axon/synapse/client"
	"axon/synapse/wire"
)

func queryCommand() *cli.Command {
	return &cli.Command{
		Name:  "query",
		Usage: "ask servers of the network about texts",
		Description: "Without further flags it asks the server on this machine, as axon serve starts it. Texts\n" +
			"are cut into tokens of the network's standard tokenizer, GPT-2's. Several texts travel in\n" +
			"one request when they have equally many tokens, otherwise in one request each.\n\n" +
			"   axon query next \"If the file does not exist,\"\n" +
			"   axon query score --file text.txt --endpoint 203.0.113.7:8091@5F…\n" +
			"   axon query causallm --text \"Hello world\" --metagraph neurons.csv --uid 3,5-9 --format json\n\n" +
			"The exit code is 0 when all have answered, and 1 when one or more have not; each of those\n" +
			"has a line on standard error.",
		Subcommands: []*cli.Command{
			queryNext.command(), queryCausalLM.command(), queryLastHidden.command(), querySeq2Seq.command(), queryScore.command(),
		},
	}
}

// queryTask is a command below axon query: how flags become a question, and an answer
// something to read.
type queryTask struct {
	name, usage, description string
	flags                    func() []cli.Flag
	// ask makes the question about texts of so many tokens.
	ask func(c *cli.Context, length int) (synapse.Synapse, error)
	// show takes an answer apart: one part for each text.
	show func(b queryBatch, a synapse.Answer, limit int) ([]queryPart, error)
	// limit is how many lines or columns of a table --show is by default; 0: it has no such flag.
	limit int
}

// queryPart is what an answer says about one text. As JSON all of it shows.
type queryPart interface{ table(t *queryTable) }

func (q *queryTask) command() *cli.Command {
	own := q.flags()
	if q.limit > 0 {
		own = append(own, &cli.IntFlag{Name: "show", Usage: "entries that a table shows of those that came", Value: q.limit})
	}
	return &cli.Command{
		Name: q.name, Usage: q.usage, ArgsUsage: "[TEXT | -]", Description: q.description,
		Flags:  join(own, queryInputFlags(), queryOutputFlags(), queryServerFlags(), hotkeyFlags()),
		Action: q.run,
	}
}

// asked is one request: what is asked, about what.
type asked struct {
	synapse synapse.Synapse
	batch   queryBatch
}

func (q *queryTask) run(c *cli.Context) error {
	out, err := openQueryOutput(c, q)
	if err != nil {
		return err
	}
	requests, err := q.requests(c)
	if err != nil {
		return err
	}
	to, err := queryServers(c)
	if err != nil {
		return err
	}
	if err := out.expect(len(requests) * len(to.endpoints)); err != nil {
		return err
	}
	dendrite, err := client.New(to.options)
	if err != nil {
		return cli.Exit(err, exitUsage)
	}
	return errors.Join(askAll(c.Context, dendrite, to, requests, out), dendrite.Close())
}

// requests are what the command line asks, checked as far as can be without a server.
func (q *queryTask) requests(c *cli.Context) ([]asked, error) {
	batches, err := queryBatches(c)
	if err != nil {
		return nil, err
	}
	requests := make([]asked, len(batches))
	for i, b := range batches {
		s, err := q.ask(c, b.Length)
		if err != nil {
			return nil, err
		}
		if f := s.Check(b.Batch, anything); f != nil {
			return nil, cli.Exit(f.Message, exitUsage)
		}
		requests[i] = asked{s, b}
	}
	return requests, nil
}

// anything is for servers to limit.
var anything = synapse.Limits{
	Texts: math.MaxInt32, Length: math.MaxInt32, TopK: math.MaxInt32, Answer: math.MaxInt64,
	Generate: math.MaxInt32, Beams: math.MaxInt32, MaxTime: math.MaxInt64,
}

// askAll asks all endpoints everything. What failed was told when it did: the error says
// nothing more.
func askAll(ctx context.Context, dendrite *client.Client, to *queryTarget, requests []asked, out *queryOutput) error {
	failed := false
	for _, r := range requests {
		for _, reply := range dendrite.ForwardAll(ctx, to.endpoints, r.batch.Batch, r.synapse) {
			if plain := unpacked(r.synapse, reply.Fault()); plain != nil {
				out.tell(reply.Endpoint, "does not know the packed form; asked again without it")
				reply = dendrite.Forward(ctx, reply.Endpoint, r.batch.Batch, plain)
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if f := reply.Fault(); f != nil {
				failed = true
				out.tell(reply.Endpoint, codeName(f.Code)+": "+f.Message+to.hint(reply.Endpoint, f))
			}
			if err := out.write(r, reply); err != nil {
				return err
			}
		}
	}
	if failed {
		return cli.Exit("", exitFailure)
	}
	return nil
}

// unpacked is the question to ask again where a server cannot serialise a packed answer,
// as those of release 3.7.0; otherwise nil.
func unpacked(s synapse.Synapse, f *synapse.Fault) synapse.Synapse {
	q, ok := s.(*synapse.TextCausalLM)
	if !ok || f == nil || q.Coding.ForwardResponse != wire.Serializer_SERIALIZER_PACKED || f.Code != wire.ReturnCode_RETURN_CODE_RESPONSE_SERIALIZATION_EXCEPTION {
		return nil
	}
	plain := *q
	plain.Coding.ForwardResponse = wire.Serializer_SERIALIZER_MSGPACK
	return &plain
}

// partOf reports an answer that is not of the type that its question has.
func partOf[T synapse.Answer](a synapse.Answer) (T, error) {
	t, ok := a.(T)
	if !ok {
		return t, fmt.Errorf("an answer of type %T", a)
	}
	return t, nil
}
