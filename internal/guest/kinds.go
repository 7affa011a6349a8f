package guest

// portableKinds are the kinds that need no Windows API. windowsKinds has all.
func portableKinds() map[string]kind {
	return map[string]kind{
		"file":    fileKind{},
		"archive": archiveKind{},
		"script":  scriptKind{},
	}
}
