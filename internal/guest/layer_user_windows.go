package guest

import (
	"context"
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/envctl/envctl/internal/guestproto"
)

// userKind makes a local account and puts it into groups. The password of an account that was there
// before cannot be read, so undo leaves the one that the layer set.
type userKind struct{}

type userSaved struct {
	Name   string   `json:"name"`
	Made   bool     `json:"made,omitempty"`
	Joined []string `json:"joined,omitempty"` // groups that it was not in
}

// userInfo1 is USER_INFO_1, userInfo1003 USER_INFO_1003 and memberInfo3 LOCALGROUP_MEMBERS_INFO_3 (lmaccess.h).
type userInfo1 struct {
	Name        *uint16
	Password    *uint16
	PasswordAge uint32
	Priv        uint32
	HomeDir     *uint16
	Comment     *uint16
	Flags       uint32
	ScriptPath  *uint16
}

type userInfo1003 struct{ Password *uint16 }

type memberInfo3 struct{ DomainAndName *uint16 }

// What netapi32 answers beside the system's own errors (lmerr.h).
const (
	nerrGroupNotFound = 2220
	nerrUserNotFound  = 2221
	nerrUserExists    = 2224
	nerrBadPassword   = 2245
)

func (userKind) apply(_ context.Context, s *step) error {
	u := s.layer.User
	saved := userSaved{Name: s.layer.Name}
	if u.Name != "" {
		saved.Name = u.Name
	}
	exists, err := userExists(saved.Name)
	if err != nil {
		return err
	}
	saved.Made = !exists
	if err := s.save(saved); err != nil {
		return err
	}
	if err := setUser(saved.Name, u.Password.Reveal(), exists); err != nil {
		return err
	}
	if underWine() {
		s.log("Wine forgets accounts when the program that made them ends: nothing can sign in as %s here", saved.Name)
	}
	for _, group := range u.Groups {
		// Noted before it is done: to take out one that is not in is no error.
		saved.Joined = append(saved.Joined, group)
		if err := s.save(saved); err != nil {
			return err
		}
		err := changeMember(procNetGroupAddMembers, group, saved.Name)
		if errors.Is(err, windows.ERROR_MEMBER_IN_ALIAS) {
			saved.Joined = saved.Joined[:len(saved.Joined)-1]
			if err := s.save(saved); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("put %s into group %q: %w", saved.Name, group, err)
		}
	}
	return nil
}

func (userKind) undo(_ context.Context, s *step) error {
	var saved userSaved
	if ok, err := s.saved(&saved); !ok {
		return err
	}
	if saved.Made {
		name, err := windows.UTF16PtrFromString(saved.Name)
		if err != nil {
			return err
		}
		r, _, _ := procNetUserDel.Call(0, uintptr(unsafe.Pointer(name)))
		if r != nerrUserNotFound {
			return netError(r)
		}
		return nil
	}
	for _, group := range saved.Joined {
		err := changeMember(procNetGroupDelMembers, group, saved.Name)
		if err != nil && !errors.Is(err, windows.ERROR_MEMBER_NOT_IN_ALIAS) && !errors.Is(err, windows.ERROR_NO_SUCH_MEMBER) {
			return fmt.Errorf("take %s out of group %q: %w", saved.Name, group, err)
		}
	}
	return nil
}

func (userKind) observe(_ context.Context, s *step) (drift, error) {
	var saved userSaved
	if ok, err := s.saved(&saved); !ok {
		return drift{}, err
	}
	exists, err := userExists(saved.Name)
	if err != nil || exists || underWine() {
		return drift{}, err
	}
	d := drifted("the account is gone")
	d.part("name", guestproto.Shown(saved.Name), "")
	return d, nil
}

func userExists(name string) (bool, error) {
	name16, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return false, err
	}
	var buf *byte
	err = windows.NetUserGetInfo(nil, name16, 0, &buf)
	if buf != nil {
		windows.NetApiBufferFree(buf)
	}
	if errors.Is(err, windows.Errno(nerrUserNotFound)) {
		return false, nil
	}
	return err == nil, err
}

// setUser makes the account, or gives one that exists the password.
func setUser(name, password string, exists bool) error {
	name16, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return err
	}
	password16, err := windows.UTF16PtrFromString(password)
	if err != nil {
		return errors.New("the password has a zero byte")
	}
	if exists {
		info := userInfo1003{password16}
		r, _, _ := procNetUserSetInfo.Call(0, uintptr(unsafe.Pointer(name16)), 1003, uintptr(unsafe.Pointer(&info)), 0)
		return netError(r)
	}
	const ordinary, script, normal, keepPassword = 1, 0x0001, 0x0200, 0x10000 // USER_PRIV_USER, UF_…
	info := userInfo1{Name: name16, Password: password16, Priv: ordinary, Flags: script | normal | keepPassword}
	r, _, _ := procNetUserAdd.Call(0, 1, uintptr(unsafe.Pointer(&info)), 0)
	if r == nerrUserExists {
		return nil
	}
	return netError(r)
}

func changeMember(proc *windows.LazyProc, group, name string) error {
	if err := proc.Find(); err != nil {
		return err
	}
	group16, err := windows.UTF16PtrFromString(group)
	if err != nil {
		return err
	}
	name16, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return err
	}
	member := memberInfo3{name16}
	r, _, _ := proc.Call(0, uintptr(unsafe.Pointer(group16)), 3, uintptr(unsafe.Pointer(&member)), 1)
	return netError(r)
}

func netError(r uintptr) error {
	switch r {
	case nerrBadPassword:
		return errors.New("the password does not meet the machine's policy: make it longer, or of more kinds of characters")
	case nerrGroupNotFound:
		return errors.New("there is no such group on the machine")
	case nerrUserNotFound:
		return errors.New("there is no such account on the machine")
	}
	return errno(r)
}
