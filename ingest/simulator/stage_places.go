package simulator

// Places and clients that no generated record has: what is new in a story must
// be new for the whole company, whatever the seed draws for its people.

// farPlaces are where attackers sit; rarePlaces likewise, each in a country that
// one story alone has.
var farPlaces = []place{
	{"NG", "Lagos", "Lagos", "LA", "101001", "6.4550", "3.3841", "", "", 1, "Africa/Lagos", 0},
	{"VN", "Hanoi", "Hanoi", "HN", "100000", "21.0285", "105.8542", "", "", 7, "Asia/Ho_Chi_Minh", 0},
	{"ID", "Jakarta", "Jakarta", "JK", "10110", "-6.2088", "106.8456", "", "", 7, "Asia/Jakarta", 0},
	{"PK", "Lahore", "Punjab", "PB", "54000", "31.5204", "74.3587", "", "", 5, "Asia/Karachi", 0},
	{"KZ", "Almaty", "Almaty", "ALA", "050000", "43.2220", "76.8512", "", "", 5, "Asia/Almaty", 0},
	{"PH", "Cebu", "Central Visayas", "CEB", "6000", "10.3157", "123.8854", "", "", 8, "Asia/Manila", 0},
	{"AR", "Rosario", "Santa Fe", "S", "2000", "-32.9587", "-60.6930", "", "", -3, "America/Argentina/Cordoba", 0},
	{"CO", "Medellín", "Antioquia", "ANT", "050001", "6.2442", "-75.5812", "", "", -5, "America/Bogota", 0},
	{"EG", "Cairo", "Cairo", "C", "11511", "30.0444", "31.2357", "", "", 2, "Africa/Cairo", 0},
	{"GE", "Tbilisi", "Tbilisi", "TB", "0100", "41.7151", "44.8271", "", "", 4, "Asia/Tbilisi", 0},
	{"PE", "Arequipa", "Arequipa", "ARE", "04001", "-16.4090", "-71.5375", "", "", -5, "America/Lima", 0},
	{"BD", "Dhaka", "Dhaka", "13", "1000", "23.8103", "90.4125", "", "", 6, "Asia/Dhaka", 0},
}

var rarePlaces = []place{
	{"KG", "Osh", "Osh", "O", "723500", "40.5140", "72.8161", "", "", 6, "Asia/Bishkek", 0},
	{"LA", "Vientiane", "Vientiane", "VT", "01000", "17.9757", "102.6331", "", "", 7, "Asia/Vientiane", 0},
	{"SR", "Paramaribo", "Paramaribo", "PM", "", "5.8520", "-55.2038", "", "", -3, "America/Paramaribo", 0},
	{"MZ", "Beira", "Sofala", "S", "2100", "-19.8316", "34.8370", "", "", 2, "Africa/Maputo", 0},
}

// honestPlaces are where people travel to beside the company's own towns, and
// the last one where its help desk sits.
var honestPlaces = []place{
	{"ES", "Valencia", "Valencia", "VC", "46001", "39.4699", "-0.3763", "Turia Fibra", "turia fibra s.l.", 1, "Europe/Madrid", 0},
	{"IT", "Bologna", "Emilia-Romagna", "45", "40121", "44.4949", "11.3426", "Reno Telecom", "reno telecom s.p.a.", 1, "Europe/Rome", 0},
	{"AE", "Dubai", "Dubai", "DU", "", "25.2048", "55.2708", "Creek Telecom", "creek telecom pjsc", 4, "Asia/Dubai", 0},
	{"MX", "Puebla", "Puebla", "PUE", "72000", "19.0414", "-98.2063", "Angelópolis Net", "angelopolis net s.a.", -6, "America/Mexico_City", 0},
	{"PT", "Braga", "Braga", "03", "4700", "41.5454", "-8.4265", "Minho Net", "minho net lda", 0, "Europe/Lisbon", 0},
}

// Positions in stageAgents.
const (
	agentOpera = iota
	agentFirefoxLinux
	agentChromeOS
	agentSamsung
	agentAxios
	agentHound
	agentGo
	agentBasic
	agentPython
	agentMover
	agentPhoneMail
	firstTool, endTool = agentAxios, agentBasic
	endBrowser         = agentAxios
)

var stageAgents = []agent{
	{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Safari/537.36 OPR/123.0.0.0", ";Windows 10;Opera 123.0;", "OPERA", "Opera", "Browser", "DESKTOP", "windows", "Windows 10", "Windows", "10", "123.0.0.0", "123", "0", false, nil, "Opera"},
	{"Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0", ";Linux;Firefox 142.0;", "FIREFOX", "Firefox", "Browser", "DESKTOP", "linux", "Linux", "Linux", "", "142.0", "142", "0", false, nil, "Firefox"},
	{"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36", ";ChromeOs;Chrome 138.0;", "CHROME", "Chrome", "Browser", "DESKTOP", "chrome_os", "Chrome OS", "Chrome OS", "14541", "138.0.0.0", "138", "0", false, nil, "Chrome"},
	{"Mozilla/5.0 (Linux; Android 13; SM-A536B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36", ";Android 13;Samsung Browser 28.0;", "SAMSUNG_BROWSER", "Samsung Browser", "Browser", "MOBILE", "android", "Android 13", "Android", "13", "28.0", "28", "0", false, nil, "SamsungBrowser"},
	{"axios/1.8.4", ";;Axios 1.8;", "UNKNOWN", "Axios", "Library", "OTHER", "OTHER", "", "Unknown", "", "1.8.4", "1", "8", true, []string{tagNative, tagRobot}, "Other"},
	{"azurehound/v2.4.1", ";;Azurehound v2.4;", "UNKNOWN", "Azurehound", "Library", "OTHER", "OTHER", "", "Unknown", "", "2.4.1", "2", "4", true, []string{tagNative, tagRobot}, "Other"},
	{"Go-http-client/2.0", ";;Go-http-client 2.0;", "UNKNOWN", "Go HTTP client", "Library", "OTHER", "OTHER", "", "Unknown", "", "2.0", "2", "0", true, []string{tagNative, tagRobot}, "Other"},
	{"BAV2ROPC", "BAV2ROPC", "UNKNOWN", "Unknown", "Application", "OTHER", "OTHER", "", "Unknown", "", "", "", "", true, []string{tagNative}, "Other"},
	{"python-requests/2.31.0", ";;Python Requests 2.31;", "PYTHON_REQUESTS", "Python Requests", "Library", "OTHER", "OTHER", "", "Unknown", "", "2.31.0", "2", "31", true, []string{tagNative, tagRobot}, "Other"},
	{"SharePointMigrationTool/4.2 (Windows NT 10.0)", ";Windows Server;Rich Client 4.66.1.0;", "UNKNOWN", "SharePoint Migration Tool", "Application", "DESKTOP", "windows", "Windows Server 2022", "Windows", "10", "4.2", "4", "2", true, []string{tagNative}, "Other"},
	{"Apple-iPhone16C2/2207.100", ";Ios 18.6;Rich Client 3.5.8;", "UNKNOWN", "Apple Mail", "Application", "MOBILE", "ios", "iOS 18", "iOS", "18.6", "18.6", "18", "6", true, []string{tagNative}, "Other"},
}

// strange is a browser that nobody at the company uses.
func (sc *scene) strange() *agent { return &stageAgents[sc.r.n(endBrowser)] }

// usual is what a person works with.
func usual(p *person) *agent { return &agents[p.desktop] }
