package guest

import (
	"errors"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

// What golang.org/x/sys/windows does not have. Each is looked up in System32 alone, on first use.
var (
	advapi32 = windows.NewLazySystemDLL("advapi32.dll")
	user32   = windows.NewLazySystemDLL("user32.dll")
	msi      = windows.NewLazySystemDLL("msi.dll")
	iphlpapi = windows.NewLazySystemDLL("iphlpapi.dll")
	ole32    = windows.NewLazySystemDLL("ole32.dll")
	oleaut32 = windows.NewLazySystemDLL("oleaut32.dll")
	netapi32 = windows.NewLazySystemDLL("netapi32.dll")
	crypt32  = windows.NewLazySystemDLL("crypt32.dll")
	ncrypt   = windows.NewLazySystemDLL("ncrypt.dll")

	procRegSetValueEx        = advapi32.NewProc("RegSetValueExW")
	procRegDeleteKeyEx       = advapi32.NewProc("RegDeleteKeyExW")
	procSendMessageTimeout   = user32.NewProc("SendMessageTimeoutW")
	procMsiOpenDatabase      = msi.NewProc("MsiOpenDatabaseW")
	procMsiOpenView          = msi.NewProc("MsiDatabaseOpenViewW")
	procMsiViewExecute       = msi.NewProc("MsiViewExecute")
	procMsiViewFetch         = msi.NewProc("MsiViewFetch")
	procMsiRecordGetString   = msi.NewProc("MsiRecordGetStringW")
	procMsiCloseHandle       = msi.NewProc("MsiCloseHandle")
	procMsiProductState      = msi.NewProc("MsiQueryProductStateW")
	procCredWrite            = advapi32.NewProc("CredWriteW")
	procCredRead             = advapi32.NewProc("CredReadW")
	procCredDelete           = advapi32.NewProc("CredDeleteW")
	procCredFree             = advapi32.NewProc("CredFree")
	procNetUserAdd           = netapi32.NewProc("NetUserAdd")
	procNetUserSetInfo       = netapi32.NewProc("NetUserSetInfo")
	procNetUserDel           = netapi32.NewProc("NetUserDel")
	procNetGroupAddMembers   = netapi32.NewProc("NetLocalGroupAddMembers")
	procNetGroupDelMembers   = netapi32.NewProc("NetLocalGroupDelMembers")
	procCoCreateInstance     = ole32.NewProc("CoCreateInstance")
	procSysAllocString       = oleaut32.NewProc("SysAllocString")
	procSysFreeString        = oleaut32.NewProc("SysFreeString")
	procCryptGetProvParam    = advapi32.NewProc("CryptGetProvParam")
	procCryptExportPublicKey = crypt32.NewProc("CryptExportPublicKeyInfo")
	procCertGetProperty      = crypt32.NewProc("CertGetCertificateContextProperty")
	procNCryptOpenProvider   = ncrypt.NewProc("NCryptOpenStorageProvider")
	procNCryptOpenKey        = ncrypt.NewProc("NCryptOpenKey")
	procNCryptDeleteKey      = ncrypt.NewProc("NCryptDeleteKey")
	procNCryptFree           = ncrypt.NewProc("NCryptFreeObject")
	procGetExtendedTCPTable  = iphlpapi.NewProc("GetExtendedTcpTable")
)

// deleteKey removes a key without subkeys; registry.DeleteKey does not take a view.
func deleteKey(root registry.Key, path string, view uint32) error {
	path16, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return err
	}
	r, _, _ := procRegDeleteKeyEx.Call(uintptr(root), uintptr(unsafe.Pointer(path16)), uintptr(view), 0)
	if errors.Is(errno(r), registry.ErrNotExist) {
		return nil
	}
	return errno(r)
}

// deleteTree removes a key with all under it.
func deleteTree(root registry.Key, path string, view uint32) error {
	k, err := registry.OpenKey(root, path, registry.ENUMERATE_SUB_KEYS|view)
	if errors.Is(err, registry.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	names, err := k.ReadSubKeyNames(-1)
	k.Close()
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := deleteTree(root, path+`\`+name, view); err != nil {
			return err
		}
	}
	return deleteKey(root, path, view)
}

func errno(r uintptr) error {
	if r == 0 {
		return nil
	}
	return windows.Errno(r)
}
