package sandbox

import (
	"bytes"
	"encoding/asn1"
)

// SPNEGO ([RFC 4178]) as far as it wraps NTLM: many clients send NTLM bare under Negotiate, and
// those that wrap it may sign the list of mechanisms.

var oidNTLM = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 2, 2, 10}

type negTokenInit struct {
	MechTypes   asn1.RawValue  `asn1:"explicit,tag:0"`
	ReqFlags    asn1.BitString `asn1:"explicit,optional,tag:1"`
	MechToken   []byte         `asn1:"explicit,optional,tag:2"`
	MechListMIC []byte         `asn1:"explicit,optional,tag:3"`
}

type negTokenResp struct {
	NegState      asn1.Enumerated       `asn1:"explicit,optional,tag:0,default:-1"`
	SupportedMech asn1.ObjectIdentifier `asn1:"explicit,optional,tag:1"`
	ResponseToken []byte                `asn1:"explicit,optional,tag:2"`
	MechListMIC   []byte                `asn1:"explicit,optional,tag:3"`
}

// unwrapSPNEGO gives the NTLM message in a token, and whether SPNEGO was around it.
func unwrapSPNEGO(token []byte) (ntlm []byte, wrapped bool) {
	if bytes.HasPrefix(token, ntlmSignature) {
		return token, false
	}
	var outer asn1.RawValue
	if _, err := asn1.Unmarshal(token, &outer); err != nil {
		return nil, false
	}
	if outer.Class == asn1.ClassApplication {
		var oid asn1.ObjectIdentifier
		rest, err := asn1.Unmarshal(outer.Bytes, &oid)
		if err != nil {
			return nil, false
		}
		var inner asn1.RawValue
		var init negTokenInit
		if _, err := asn1.Unmarshal(rest, &inner); err != nil {
			return nil, false
		}
		if _, err := asn1.Unmarshal(inner.Bytes, &init); err != nil {
			return nil, false
		}
		return init.MechToken, true
	}
	var resp negTokenResp
	if _, err := asn1.Unmarshal(outer.Bytes, &resp); err != nil {
		return nil, false
	}
	return resp.ResponseToken, true
}

// spnegoChallenge wraps a CHALLENGE as accept-incomplete with NTLM chosen.
func spnegoChallenge(challenge []byte) []byte {
	return wrapResp(negTokenResp{NegState: 1, SupportedMech: oidNTLM, ResponseToken: challenge})
}

// spnegoAccept says accept-completed. Where the client signed its list of mechanisms, ours is
// signed too, and the ciphers begin again as [MS-SPNG] 3.3.5.1 has it.
func spnegoAccept(token []byte, s *sealer) []byte {
	resp := negTokenResp{}
	var outer asn1.RawValue
	var sent negTokenResp
	if _, err := asn1.Unmarshal(token, &outer); err == nil {
		if _, err := asn1.Unmarshal(outer.Bytes, &sent); err == nil && len(sent.MechListMIC) > 0 {
			list, err := asn1.Marshal([]asn1.ObjectIdentifier{oidNTLM})
			if err == nil {
				resp.MechListMIC = s.out.mac(list, s.keyExch)
				s.reset()
			}
		}
	}
	return wrapResp(resp)
}

func wrapResp(r negTokenResp) []byte {
	// encoding/asn1 leaves out a value that equals its default, and an empty identifier fails.
	var parts []byte
	add := func(tag int, v any) {
		inner, err := asn1.Marshal(v)
		if err != nil {
			panic(err) // the values are ours, and marshal
		}
		part, err := asn1.Marshal(asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, IsCompound: true, Bytes: inner})
		if err != nil {
			panic(err)
		}
		parts = append(parts, part...)
	}
	add(0, r.NegState)
	if r.SupportedMech != nil {
		add(1, r.SupportedMech)
	}
	if r.ResponseToken != nil {
		add(2, r.ResponseToken)
	}
	if r.MechListMIC != nil {
		add(3, r.MechListMIC)
	}
	seq, err := asn1.Marshal(asn1.RawValue{Class: asn1.ClassUniversal, Tag: asn1.TagSequence, IsCompound: true, Bytes: parts})
	if err != nil {
		panic(err)
	}
	out, err := asn1.Marshal(asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 1, IsCompound: true, Bytes: seq})
	if err != nil {
		panic(err)
	}
	return out
}
