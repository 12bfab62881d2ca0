// Package axon holds what every copy of the program must carry: its own licence and the
// notices of the software inside it. The program itself starts in cmd/axon.
package axon

import _ "embed" // for the texts below

var (
	// License is axon's own licence.
	//
	//go:embed LICENSE
	License string

	// ThirdPartyNotices holds the licences of everything that is linked in, in Markdown.
	//
	//go:embed THIRD_PARTY_NOTICES.md
	ThirdPartyNotices string

	// ModelNotice says what the built-in model was made from, and under which licences.
	//
	//go:embed models/NOTICE
	ModelNotice string
)
