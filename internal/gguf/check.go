package gguf

func Check(f *File) Problems      { return nil }
func CheckVocab(f *File) Problems { return nil }
