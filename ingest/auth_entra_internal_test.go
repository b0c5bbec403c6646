package ingest

import "testing"

// Each cloud has its own place to sign in, and no other one is ever asked.
func TestWhereOneSignsIn(t *testing.T) {
	for cloud, want := range map[string]string{
		"":         "https://login.microsoftonline.com/",
		"public":   "https://login.microsoftonline.com/",
		"gcc":      "https://login.microsoftonline.com/",
		"gcc-high": "https://login.microsoftonline.us/",
		"dod":      "https://login.microsoftonline.us/",
	} {
		for _, method := range []string{ClientSecret, DeviceCode} {
			o := SignInOptions{Method: method, TenantID: "contoso.example", ClientID: "app", Cloud: cloud}
			if method == ClientSecret {
				o.ClientSecret = "secret"
			}
			if _, err := o.defaults(); err != nil || o.Authority != want || o.Resource != DefaultResource {
				t.Errorf("%s, cloud %q: at %s for %s, %v", method, cloud, o.Authority, o.Resource, err)
			}
		}
	}
	if got := len(Clouds()); got != len(clouds) {
		t.Errorf("%d clouds are named, there are %d", got, len(clouds))
	}
}
