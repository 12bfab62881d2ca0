// Package settings gives the flags of a command two more sources: an environment variable
// for each, and a YAML file in which the flags' names are the keys. A flag on the command
// line goes before its variable, that before the file, and the file before the default.
// What came of it all is printed as a file that can be read again.
//
// It knows flags and nothing of what they mean. Lists are what a flag takes that can be
// repeated; a variable has its items between commas.
//
// YAML is go.yaml.in's: it tells lines and keeps comments, and its module is needed for the
// tests anyway.
//
// Start reading at [Apply].
package settings
