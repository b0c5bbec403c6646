package simulator

// agent is a client program: the raw string, and what MDCA makes of it.
type agent struct {
	raw     string
	signIn  string // the made-up form of Entra sign-ins
	browser string // member browser and family
	name    string
	kind    string // Browser, Application
	device  string // deviceType
	os      string // member os
	osName  string // operatingSystem.name; "" leaves the version out too
	osFam   string
	osVer   string
	version string
	major   string
	minor   string
	native  bool
	tags    []string
	client  string // BrowserName of SharePoint
}

const (
	tagNative  = "000000000000000000000000"
	tagOldOne  = "000000010000000000000000"
	tagRobot   = "0000002b0000000000000000"
	tagTor     = "2dfa95cd7922d979d66fcff5"
	tagProxy   = "000000030000000000000000"
	tagAWS     = "000000290000000000000000"
	tagAzure   = "0000002a0000000000000000"
	tagZscaler = "000000160000000000000000"
)

const (
	desktopAgents = 7
	phoneAgents   = 3
	agentOffice   = desktopAgents + phoneAgents // native Office
	agentSync     = agentOffice + 1
	agentThumb    = agentOffice + 2
	agentScript   = agentOffice + 3
	agentTor      = agentOffice + 4
)

var agents = []agent{
	{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36 Edg/141.0.0.0", ";Windows 10;Edge 141.0;", "EDGE", "Microsoft Edge", "Browser", "DESKTOP", "windows", "Windows 10", "Windows", "10", "141.0.0.0", "141", "0", false, nil, "Edge"},
	{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36", ";Windows 10;Chrome 140.0;", "CHROME", "Chrome", "Browser", "DESKTOP", "windows", "Windows 10", "Windows", "10", "140.0.0.0", "140", "0", false, nil, "Chrome"},
	{"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:143.0) Gecko/20100101 Firefox/143.0", ";Windows 10;Firefox 143.0;", "FIREFOX", "Firefox", "Browser", "DESKTOP", "windows", "Windows 10", "Windows", "10", "143.0", "143", "0", false, nil, "Firefox"},
	{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15", ";MacOs;Safari 18.6;", "SAFARI", "Safari", "Browser", "DESKTOP", "mac_os", "OS X 10.15 Catalina", "OS X", "10.15.7", "18.6", "18", "6", false, nil, "Safari"},
	{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36", ";MacOs;Chrome 141.0;", "CHROME", "Chrome", "Browser", "DESKTOP", "mac_os", "OS X 10.15 Catalina", "OS X", "10.15.7", "141.0.0.0", "141", "0", false, nil, "Chrome"},
	{"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Safari/537.36", ";Linux;Chrome 139.0;", "CHROME", "Chrome", "Browser", "DESKTOP", "linux", "Linux", "Linux", "", "139.0.0.0", "139", "0", false, nil, "Chrome"},
	{"Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko", ";Windows 10;IE 11.0;", "IE", "Internet Explorer", "Browser", "DESKTOP", "windows", "Windows 10", "Windows", "10", "11.0", "11", "0", false, []string{tagOldOne}, "IE"},
	{"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1", ";Ios 18.6;Mobile Safari;", "SAFARI", "Mobile Safari", "Browser", "MOBILE", "ios", "iOS 18", "iOS", "18.6", "18.6", "18", "6", false, nil, "MobileSafari"},
	{"Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36", ";Android 15;Chrome Mobile 141.0;", "CHROME", "Chrome Mobile", "Browser", "MOBILE", "android", "Android 15", "Android", "15", "141.0.0.0", "141", "0", false, nil, "ChromeMobile"},
	{"Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1", ";Ios 18.5;Mobile Safari;", "SAFARI", "Mobile Safari", "Browser", "TABLET", "ios", "iOS 18", "iOS", "18.5", "18.5", "18", "5", false, nil, "MobileSafari"},
	{"Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.19127; Pro)", ";Windows 10;Rich Client 4.66.1.0;", "MICROSOFT_OFFICE", "Microsoft Office", "Application", "DESKTOP", "windows", "Windows 10", "Windows", "10", "16.0.19127", "16", "0", true, []string{tagNative}, "Office"},
	{"Microsoft SkyDriveSync 25.174.0907.0003 ship; Windows NT 10.0 (26100)", ";Windows 10;OneDrive 25.174;", "MICROSOFT_ONEDRIVE_FOR_BUSINESS", "Microsoft OneDrive for Business", "Application", "DESKTOP", "windows", "Windows 10", "Windows", "10", "25.174.0907.0003", "25", "174", true, []string{tagNative}, "OneDrive"},
	{"OneDriveMpc-Transform_Thumbnail/1.0", ";;OneDriveMpc;", "MICROSOFT_ONEDRIVE_FOR_BUSINESS", "Microsoft OneDrive for Business", "Application", "OTHER", "OTHER", "", "Unknown", "", "", "", "", true, []string{tagNative}, "OneDriveMpc"},
	{"python-requests/2.32.5", ";;Python Requests 2.32;", "PYTHON_REQUESTS", "Python Requests", "Library", "OTHER", "OTHER", "", "Unknown", "", "2.32.5", "2", "32", true, []string{tagNative, tagRobot}, "Other"},
	{"Mozilla/5.0 (Windows NT 10.0; rv:128.0) Gecko/20100101 Firefox/128.0", ";Windows 10;Firefox 128.0;", "FIREFOX", "Firefox", "Browser", "DESKTOP", "windows", "Windows 10", "Windows", "10", "128.0", "128", "0", false, []string{tagOldOne}, "Firefox"},
}
