// kiosk.tsx: how the overview looks on a wall.

import './kiosk.css';

export default function Kiosk() { return null; }
