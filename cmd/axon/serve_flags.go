package main

import (
	"time"

	"github.com/urfave/cli/v2"

	"axon/internal/settings"
	"axon/synapse/server"
	"axon/synapse/translate"
)

const (
	categoryNetwork   = "Network:"
	categoryAdmission = "Admission:"
	categoryLimits    = "Limits:"
	categoryTimes     = "Times:"
	categoryLog       = "Log:"
)

// serveSettings are the flags of axon serve that its configuration file may set.
func serveSettings() []cli.Flag {
	flags := join(networkFlags(), append(hotkeyFlags(), nonceFlags()...), admissionFlags(), limitFlags(), timeFlags(), logFlags(),
		append(modelFlags(), translationFlag()), contextFlags())
	settings.AddVariables("AXON_", flags)
	return flags
}

func networkFlags() []cli.Flag {
	return inCategory(categoryNetwork,
		&cli.StringFlag{Name: "listen", Usage: "`ADDRESS` that requests come to", Value: "0.0.0.0:8091"},
		&cli.StringFlag{Name: "tls-cert", Usage: "certificate `FILE` in PEM, with those that vouch for it; without it there is no TLS, as the network has it", TakesFile: true},
		&cli.StringFlag{Name: "tls-key", Usage: "`FILE` with the certificate's key", TakesFile: true},
		&cli.StringFlag{Name: "metrics-listen", Usage: "`ADDRESS` of /metrics, /healthy and /ready over HTTP; empty: none", Value: "127.0.0.1:9091"},
		&cli.StringFlag{Name: "pprof-listen", Usage: "`ADDRESS` of /debug/pprof over HTTP, which strangers must not reach; empty: none"},
	)
}

func nonceFlags() []cli.Flag {
	return inCategory(categoryHotkey,
		&cli.StringFlag{Name: "nonces", Usage: "`FILE` that remembers which requests were answered; without it one in ~/.local/state/axon", TakesFile: true},
		&cli.BoolFlag{Name: "allow-signature-v1", Usage: "take signatures of format 1, which name no receiver and can be sent on to other servers"},
	)
}

func admissionFlags() []cli.Flag {
	return inCategory(categoryAdmission,
		&cli.StringFlag{Name: "metagraph", Usage: "CSV `FILE` with uid,hotkey,coldkey,ip,port,stake of those who are registered; without it any signed hotkey is answered", TakesFile: true},
		&cli.Float64Flag{Name: "min-stake", Usage: "stake below which nothing is answered"},
		&cli.StringSliceFlag{Name: "min-stake-for", Usage: "`SYNAPSE=STAKE`, repeatable: stake that one synapse asks for, as in TextSeq2Seq=100"},
		&cli.DurationFlag{Name: "min-interval", Usage: "time between two requests of one hotkey; 0: none"},
		&cli.StringSliceFlag{Name: "allow-hotkey", Usage: "`ADDRESS` that is asked for neither registration nor stake, repeatable; without --metagraph only these are answered"},
		&cli.StringSliceFlag{Name: "deny-hotkey", Usage: "`ADDRESS` that is not answered, repeatable"},
		&cli.BoolFlag{Name: "allow-unregistered", Usage: "hotkeys that are not in the metagraph count as having no stake"},
	)
}

// limitFlags say what the server takes upon itself.
func limitFlags() []cli.Flag {
	d := server.DefaultLimits()
	return inCategory(categoryLimits,
		&cli.IntFlag{Name: "max-texts", Usage: "texts in a request", Value: d.Texts},
		&cli.IntFlag{Name: "max-length", Usage: "tokens of a text", Value: d.Length},
		&cli.IntFlag{Name: "max-top-k", Usage: "entries of each position", Value: d.TopK},
		&cli.Int64Flag{Name: "max-answer", Usage: "numbers in the answer to one synapse: rows × what each carries", Value: d.Answer},
		&cli.IntFlag{Name: "max-generate", Usage: "tokens of a generated text, prompt included", Value: d.Generate},
		&cli.IntFlag{Name: "max-beams", Usage: "beams, or generated texts, of each text", Value: d.Beams},
		&cli.IntFlag{Name: "max-message", Usage: "`BYTES` of a request", Value: 4 << 20},
		&cli.IntFlag{Name: "max-requests", Usage: "requests at once, from header to answer", Value: 512},
		&cli.IntFlag{Name: "max-connections", Usage: "connections", Value: 1024},
		&cli.IntFlag{Name: "max-connections-per-host", Usage: "connections of one address", Value: 128},
		&cli.IntFlag{Name: "max-streams", Usage: "calls at once on one connection", Value: 64},
		&cli.IntFlag{Name: "queue", Usage: "requests that wait for the model, those with more stake first", Value: 256},
		&cli.Int64Flag{Name: "answer-memory", Usage: "`BYTES` of answers at once, from when they are begun until they are sent", Value: 2 << 30},
		&cli.IntFlag{Name: "tokens-at-work", Usage: "tokens in the model at once, each text counting as at least 64", Value: 8192},
	)
}

func timeFlags() []cli.Flag {
	return inCategory(categoryTimes,
		// The synapses have time-outs of their own, of which TextSeq2Seq's is the longest.
		&cli.DurationFlag{Name: "timeout", Usage: "until a request is answered, where its synapses do not take less: 12s, TextSeq2Seq 36s", Value: 36 * time.Second},
		&cli.DurationFlag{Name: "generate-timeout", Usage: "until a generated text is taken as it is", Value: 30 * time.Second},
		&cli.DurationFlag{Name: "receive-timeout", Usage: "until a request has arrived", Value: 10 * time.Second},
		&cli.DurationFlag{Name: "send-timeout", Usage: "until its answer has left", Value: 30 * time.Second},
		&cli.DurationFlag{Name: "idle-timeout", Usage: "until a connection without calls is closed", Value: 5 * time.Minute},
		&cli.DurationFlag{Name: "drain-delay", Usage: "between being no longer ready and taking no more calls, for balancers to notice"},
		&cli.DurationFlag{Name: "drain-timeout", Usage: "until calls are cut off that are not answered after the signal to stop", Value: time.Minute},
	)
}

func logFlags() []cli.Flag {
	return inCategory(categoryLog,
		&cli.StringFlag{Name: "log-format", Usage: "lines on standard error: text or json", Value: "text"},
		&cli.StringFlag{Name: "log-level", Usage: "debug, info, warn or error; info has a line for each request", Value: "info"},
	)
}

func translationFlag() cli.Flag {
	return inCategory(categoryModel, &cli.StringFlag{
		Name: "translation", Usage: "how rows become rows of the network's tokens: exact, or reference for the network's heuristic", Value: string(translate.Exact),
	})[0]
}
