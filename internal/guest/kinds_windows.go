package guest

// windowsKinds is the table of what a stack can be made of. A new kind is a file with its observe,
// apply and undo, a line here, and its body in guestproto.Layer.
func windowsKinds() map[string]kind {
	kinds := portableKinds()
	kinds["package"] = packageKind{}
	kinds["registry"] = registryKind{}
	kinds["service"] = serviceKind{}
	kinds["env"] = envKind{}
	kinds["firewall"] = firewallKind{}
	kinds["user"] = userKind{}
	kinds["vault"] = vaultKind{}
	kinds["odbc"] = odbcKind{}
	kinds["app"] = appKind{}
	kinds["feature"] = featureKind{dism}
	kinds["certificate"] = certificateKind{}
	kinds["task"] = taskKind{}
	kinds["reboot"] = rebootKind{pending: restartPending}
	return kinds
}
