#!/bin/sh
# Makes clip.mp4 with nothing but ffmpeg's own generators: drifting light, a ring and a bar that
# fill once in twelve seconds, a dot that runs round every three, four soft chords.
# The same ffmpeg and x264 give the same bytes (one thread, no dates, no note of the encoder's options in the stream). Usage: make-clip.sh [OUTPUT]
set -eu
output=${1:-"$(dirname "$0")/clip.mp4"}

# Pitches of four chords of three seconds each (Amaj9, F#m7, Dmaj7, E6), every note with a slow swell.
chord() { # START NOTE NOTE NOTE NOTE
  start=$1; shift
  sum=0
  for note in "$@"; do sum="$sum+sin(2*PI*$note*t)*0.5+sin(4*PI*$note*t)*0.12+sin(2*PI*($note+0.7)*t)*0.3"; done
  echo "if(between(t,$start,$start+3),pow(abs(sin(PI*(t-$start)/3)),0.6)*($sum),0)"
}
music="0.16*($(chord 0 220 277.18 329.63 493.88)+$(chord 3 185 277.18 329.63 440)+$(chord 6 146.83 220 369.99 554.37)+$(chord 9 164.81 246.94 415.3 554.37))"

# Three lights on their own paths over a night sky; x and y from 0 to 1.
red="28+150*exp(-14*(pow(X/W-0.5-0.34*sin(T*0.52),2)+pow((Y/H-0.42-0.20*cos(T*0.71))*0.56,2)))+60*exp(-9*(pow(X/W-0.5+0.3*cos(T*0.45),2)+pow((Y/H-0.6)*0.56,2)))"
green="24+92*exp(-16*(pow(X/W-0.5-0.30*sin(T*0.52+2.2),2)+pow((Y/H-0.5-0.24*cos(T*0.63+1))*0.56,2)))+40*Y/H"
blue="58+150*exp(-11*(pow(X/W-0.5-0.36*sin(T*0.47+4.1),2)+pow((Y/H-0.55-0.18*cos(T*0.58+3))*0.56,2)))+34*(1-Y/H)"

# A ring of 280 pixels that fills clockwise from the top, and a dot that runs round it with each chord.
radius="hypot(X-W/2,Y-H/2)"
angle="mod(atan2(X-W/2,H/2-Y)+2*PI,2*PI)"
edge="clip(1+8-abs($radius-120),0,1)"
dot="clip(10-hypot(X-W/2-120*sin(2*PI*T/3),Y-H/2+120*cos(2*PI*T/3)),0,1)"
alpha="255*max($edge*(0.18+0.72*lt($angle,2*PI*T/12)),$dot)"

ffmpeg -hide_banner -loglevel error -nostdin -y -filter_threads 1 -filter_complex_threads 1 -filter_complex "
  nullsrc=s=320x180:r=30:d=12,format=gbrp,geq=r='min(255,$red)':g='min(255,$green)':b='min(255,$blue)',
    scale=1280:720:flags=bicubic+accurate_rnd+bitexact,noise=c0s=3:c0f=t:c0_seed=7,format=yuv420p[sky];
  nullsrc=s=280x280:r=30:d=12,format=gbrap,geq=r=244:g=233:b=216:a='$alpha',format=yuva420p[ring];
  color=c=0x101828:s=1280x8:r=30:d=12[track];
  color=c=0xf4e9d8:s=1280x8:r=30:d=12[bar];
  [sky][track]overlay=x=0:y=H-h-24:shortest=1[a];
  [a][bar]overlay=x='-w+w*t/12':y=H-h-24:shortest=1[b];
  [b][ring]overlay=x=(W-w)/2:y=(H-h)/2-12:shortest=1,fade=t=in:d=0.5,fade=t=out:st=11.5:d=0.5,format=yuv420p[v];
  aevalsrc='$music|$music':s=48000:d=12,aecho=0.8:0.7:60|110:0.28|0.2,lowpass=f=5000,afade=t=in:d=0.4,afade=t=out:st=11:d=1[s]" \
  -map '[v]' -map '[s]' -c:v libx264 -threads 1 -preset slow -crf 22 -g 60 -pix_fmt yuv420p -color_primaries bt709 -color_trc bt709 -colorspace bt709 \
  -bsf:v filter_units=remove_types=6 \
  -c:a aac -b:a 96k -t 12 -map_metadata -1 -fflags +bitexact -flags:v +bitexact -flags:a +bitexact -movflags +faststart "$output"
