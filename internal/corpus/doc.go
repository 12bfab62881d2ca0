// Package corpus gives the texts that a validator asks about, as windows of
// standard tokens, out of files, folders, JSON lines or a stream, of which it never
// holds more than a window's surroundings.
//
// Whoever is asked sees a window and may remember it. So all bytes of all
// documents are divided into slots of equal size, each slot holds one window at
// most, and each is drawn once, in an order that looks random and is computed
// rather than kept: [Position], two numbers, is all that has to be remembered
// to go on. When all slots were drawn, the next epoch begins with another order of
// other slots.
//
// Slots are counted through all documents, begin with a random shift, and belong to the
// document in which they begin: every place of the text at which a window can begin is
// equally likely, and what is drawn first is a sample of the whole. A document
// that holds no whole window gives none, and a short one gives few.
//
// A slot takes 8 bytes a token and 64. English prose has 4 to 4.5 in the standard
// vocabulary, and so about half of a text is passed over in an epoch, and has its turn in
// another. That is on purpose: a slot with too few tokens gives no window, and slots that
// are just long enough would keep out texts whose words are long.
//
// A window begins and ends where the tokenizer is sure to begin a token, whatever
// stands around, so that its tokens are those that the whole text has there. Text
// without any such place, text that is not UTF-8, and NUL are passed over.
//
// The package knows no vocabulary but a function that cuts text into tokens, and
// neither servers nor what is asked of them. Start reading at [Open] and
// [Corpus.Draw]; slots are in order.go, windows in cut.go.
package corpus

import "errors"

var (
	// ErrOptions is returned for options that contradict themselves or exceed a limit.
	ErrOptions = errors.New("invalid options of a corpus")
	// ErrNoText is returned when paths lead to no text at all.
	ErrNoText = errors.New("no text found")
	// ErrNotText is returned when something was named that is no file of text.
	ErrNotText = errors.New("not a file of text")
	// ErrTooMany is returned when there are more files, or bytes, than can be counted here.
	ErrTooMany = errors.New("too many files")
	// ErrTooShort is returned when text is there, and no window found in it.
	ErrTooShort = errors.New("no text is long enough")
	// ErrLine is returned for a line that is too long, no JSON object, or without the
	// text it should have.
	ErrLine = errors.New("not a JSON line with text")
	// ErrChanged is returned when a file is no longer what it was when the corpus was opened.
	ErrChanged = errors.New("the file has changed meanwhile")
	// ErrPassed is returned when a stream is asked for what has gone by.
	ErrPassed = errors.New("the stream has passed this position")
)
